#include "config.h"

#include "queued/listener.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

static bool
somebody_answers(const struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool answers = fd >= 0 &&
	    (connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0 || errno == EAGAIN);

	if (fd >= 0)
		close(fd);
	return answers;
}

static bool
remove_stale(const struct sockaddr_un *sun, struct error *err)
{
	struct stat st;

	if (lstat(sun->sun_path, &st) != 0)
		return errno == ENOENT || error_sys(err, ERR_INTERNAL, "%s", sun->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, ERR_INTERNAL, "%s exists and is not a socket", sun->sun_path);
	if (somebody_answers(sun))
		return error_set(err, ERR_BUSY, "another program answers at %s", sun->sun_path);
	return unlink(sun->sun_path) == 0 ||
	    error_sys(err, ERR_INTERNAL, "remove the dead socket %s", sun->sun_path);
}

static bool
bind_socket(struct listener *l, const struct sockaddr_un *sun, struct error *err)
{
	struct stat st;
	mode_t old = umask(0117);
	int rc = bind(l->fd, (const struct sockaddr *)sun, sizeof(*sun));

	umask(old);
	if (rc != 0 || lstat(sun->sun_path, &st) != 0)
		return error_sys(err, ERR_INTERNAL, "bind %s", sun->sun_path);
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	if (listen(l->fd, BACKLOG) == 0)
		return true;
	error_sys(err, ERR_INTERNAL, "listen at %s", sun->sun_path);
	unlink(sun->sun_path);
	return false;
}

static bool
give_to_group(const char *path, const char *group, struct error *err)
{
	const struct group *g;

	if (group[0] == '\0')
		return true;
	errno = 0;
	g = getgrnam(group);
	if (g == NULL)
		return error_set(err, ERR_INPUT, "[queue] socket_group: there is no group %s",
		    group);
	return chown(path, (uid_t)-1, g->gr_gid) == 0 ||
	    error_sys(err, ERR_INTERNAL, "give %s to group %s", path, group);
}

bool
listener_open(struct listener *l, const char *path, const char *group, struct error *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	*l = (struct listener){ .fd = -1, .path = path };
	if (strlen(path) >= sizeof(sun.sun_path))
		return error_set(err, ERR_INPUT,
		    "%s is longer than a socket's path may be (%zu bytes)", path,
		    sizeof(sun.sun_path) - 1);
	memcpy(sun.sun_path, path, strlen(path) + 1);
	if (!remove_stale(&sun, err))
		return false;
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0)
		return error_sys(err, ERR_INTERNAL, "socket");
	if (bind_socket(l, &sun, err)) {
		if (give_to_group(path, group, err))
			return true;
		unlink(path);
	}
	close(l->fd);
	l->fd = -1;
	return false;
}

void
listener_close(struct listener *l)
{
	struct stat st;

	if (l->fd < 0)
		return;
	if (lstat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(l->path);
	close(l->fd);
	l->fd = -1;
}
