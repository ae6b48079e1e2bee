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

/* A secret that everybody can read is none. Its group may read it: that is how the programs share it. */
static bool
is_private(int fd, const char *path, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return error_sys(err, ERR_INPUT, "cannot look at %s", path);
	if ((st.st_mode & (S_IROTH | S_IWOTH | S_IWGRP)) != 0)
		return error_set(err, ERR_INPUT, "%s may be read or changed by others: chmod 0640 %s, and change the secret if they "
		    "may have seen it", path, path);
	return true;
}

bool
secret_read_file(struct secret *s, const char *path, struct error *err)
{
	char raw[SECRET_MAX + 2], *start = raw, credential[512];
	bool done = false;
	ssize_t n;
	int fd;

	if (strncmp(path, SECRET_CREDENTIAL, sizeof(SECRET_CREDENTIAL) - 1) == 0) {
		const char *dir = getenv("CREDENTIALS_DIRECTORY");

		if (dir == NULL)
			return error_set(err, ERR_INPUT, "%s: there is no CREDENTIALS_DIRECTORY: is it in the unit's LoadCredential=?", path);
		snprintf(credential, sizeof(credential), "%s/%s", dir, path + sizeof(SECRET_CREDENTIAL) - 1);
		path = credential;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_sys(err, ERR_INPUT, "cannot open %s", path);
	if (!is_private(fd, path, err)) {
		close(fd);
		return false;
	}
	n = read(fd, raw, sizeof(raw) - 1);
	close(fd);
	if (n < 0)
		return error_sys(err, ERR_INPUT, "cannot read %s", path);
	if (n > SECRET_MAX) {
		error_set(err, ERR_INPUT, "%s is longer than %d bytes", path, SECRET_MAX);
		goto out;
	}
	while (n > 0 && strchr(" \t\r\n", raw[n - 1]) != NULL)
		n--;
	raw[n] = '\0';
	start += strspn(start, " \t\r\n");
	if (*start == '\0') {
		error_set(err, ERR_INPUT, "%s is empty", path);
		goto out;
	}
	for (const char *p = start; *p != '\0'; p++)
		if (*p < 0x21 || *p > 0x7e) {
			error_set(err, ERR_INPUT, "%s holds more than one line of printable ASCII", path);
			goto out;
		}
	done = secret_set(s, start) || error_set(err, ERR_INTERNAL, "out of memory");
out:
	secret_wipe(raw, sizeof(raw));
	return done;
}
