#include "config.h"

#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECRET_MAX = 4096 };

void
secret_wipe(void *p, size_t len)
{
	explicit_bzero(p, len);
}

bool
secret_is_set(const struct secret *s)
{
	return s->text != NULL;
}

bool
secret_is_token(const struct secret *s)
{
	static const char allowed[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~+/=-";

	return secret_is_set(s) && s->len > 0 && s->text[strspn(s->text, allowed)] == '\0';
}

void
secret_clear(struct secret *s)
{
	if (s->text != NULL)
		secret_wipe(s->text, s->len);
	free(s->text);
	s->text = NULL;
	s->len = 0;
}

bool
secret_set(struct secret *s, const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL)
		return false;
	secret_clear(s);
	s->text = copy;
	s->len = strlen(copy);
	return true;
}

/* The group may read it: that is how the programs share a secret. */
static bool
is_private(int fd, const char *path, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return error_sys(err, ERR_INPUT, "cannot look at %s", path);
	if ((st.st_mode & (S_IROTH | S_IWOTH | S_IWGRP)) != 0)
		return error_set(err, ERR_INPUT,
		    "%s may be read or changed by others: chmod 0640 %s, "
		    "and change the secret if they may have seen it",
		    path, path);
	return true;
}

enum { PATH_ROOM = 512 };

/* credential:NAME is the file of that name in $CREDENTIALS_DIRECTORY. */
static bool
find_file(const char *path, char file[PATH_ROOM], struct error *err)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	int n;

	if (strncmp(path, SECRET_CREDENTIAL, sizeof(SECRET_CREDENTIAL) - 1) != 0)
		n = snprintf(file, PATH_ROOM, "%s", path);
	else if (dir != NULL)
		n = snprintf(file, PATH_ROOM, "%s/%s", dir, path + sizeof(SECRET_CREDENTIAL) - 1);
	else
		return error_set(err, ERR_INPUT,
		    "%s: there is no CREDENTIALS_DIRECTORY: "
		    "is it in the unit's LoadCredential=?",
		    path);
	return n < PATH_ROOM || error_set(err, ERR_INPUT, "%s: the path is too long", path);
}

static ssize_t
read_file(const char *path, char raw[SECRET_MAX + 2], struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd < 0) {
		error_sys(err, ERR_INPUT, "cannot open %s", path);
		return -1;
	}
	if (is_private(fd, path, err) && (n = read(fd, raw, SECRET_MAX + 1)) < 0)
		error_sys(err, ERR_INPUT, "cannot read %s", path);
	close(fd);
	return n;
}

static bool
take_line(struct secret *s, char *raw, size_t n, const char *path, struct error *err)
{
	const char *start = raw;

	if (n > SECRET_MAX)
		return error_set(err, ERR_INPUT, "%s is longer than %d bytes", path, SECRET_MAX);
	while (n > 0 && strchr(" \t\r\n", raw[n - 1]) != NULL)
		n--;
	raw[n] = '\0';
	start += strspn(start, " \t\r\n");
	if (*start == '\0')
		return error_set(err, ERR_INPUT, "%s is empty", path);
	for (const char *p = start; *p != '\0'; p++)
		if (*p < 0x21 || *p > 0x7e)
			return error_set(err, ERR_INPUT,
			    "%s holds more than one line of printable ASCII", path);
	return secret_set(s, start) || error_set(err, ERR_INTERNAL, "out of memory");
}

bool
secret_read_file(struct secret *s, const char *path, struct error *err)
{
	char raw[SECRET_MAX + 2], file[PATH_ROOM];
	bool ok;
	ssize_t n;

	if (!find_file(path, file, err))
		return false;
	n = read_file(file, raw, err);
	ok = n >= 0 && take_line(s, raw, (size_t)n, file, err);
	secret_wipe(raw, sizeof(raw));
	return ok;
}
