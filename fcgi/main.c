/* roompay.fcgi: what is inherited decides whether this is a master or a worker. roompay.fcgi(8). */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/privilege.h"
#include "fcgi/assets.h"
#include "fcgi/call.h"
#include "fcgi/edge.h"
#include "fcgi/master.h"
#include "fcgi/worker.h"
#include "site/conf_read.h"

enum { EXIT_USAGE = 2, BACKLOG = 1024, SYSTEMD_FD = 3, WORKERS_MAX = 1000 };

struct options {
	const char *conf_path;
	bool check;
	int64_t workers; /* 0: not given */
};

static struct conf confs[2]; /* in use; room for the next at SIGHUP */

static int
usage(FILE *out, int status)
{
	fprintf(out, "usage: roompay.fcgi [-c FILE] [--check] [--workers N] [--version]\n");
	return status;
}

static bool
read_workers(const char *text, int64_t *workers)
{
	char *end;
	long n = strtol(text, &end, 10);

	*workers = n;
	return *text != '\0' && *end == '\0' && n >= 1 && n <= WORKERS_MAX;
}

/* Returns an exit status, or -1: go on. */
static int
read_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'k' },
		{ "workers", required_argument, NULL, 'w' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	*o = (struct options){ .conf_path = SYSCONFDIR "/roompay/roompay.conf" };
	while ((c = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
		if (c == 'c') {
			o->conf_path = optarg;
		} else if (c == 'k') {
			o->check = true;
		} else if (c == 'w') {
			if (!read_workers(optarg, &o->workers)) {
				fprintf(stderr,
				    "roompay.fcgi: --workers takes a number from 1 to %d\n",
				    WORKERS_MAX);
				return EXIT_USAGE;
			}
		} else if (c == 'V') {
			printf("roompay.fcgi %s\n", PACKAGE_VERSION);
			return 0;
		} else {
			return usage(c == 'h' ? stdout : stderr, c == 'h' ? 0 : EXIT_USAGE);
		}
	}
	return optind == argc ? -1 : usage(stderr, EXIT_USAGE);
}

static bool
is_listening(int fd)
{
	int on = 0;
	socklen_t len = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on != 0;
}

/* libfcgi can be crashed by any peer: only what may open a Unix socket's file is let near it. */
static bool
is_unix(int fd)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);

	return getsockname(fd, (struct sockaddr *)&ss, &len) == 0 && ss.ss_family == AF_UNIX;
}

/* systemd's way: the variable must say that it is us, or it was meant for somebody whose child we
 * are. */
static bool
is_for_us(const char *variable)
{
	const char *pid = getenv(variable);

	return pid != NULL && strtol(pid, NULL, 10) == (long)getpid();
}

static bool
has_systemd_socket(void)
{
	const char *fds = getenv("LISTEN_FDS");
	bool ours = is_for_us("LISTEN_PID") && fds != NULL && strtol(fds, NULL, 10) == 1 &&
	    is_listening(SYSTEMD_FD);

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return ours;
}

/* The file of a master that is gone is removed; one behind which somebody answers, or which is no
 * socket, is not. */
static bool
clear_stale(const struct sockaddr_un *sun, struct error *err)
{
	struct stat st;
	int fd, rc;

	if (lstat(sun->sun_path, &st) != 0)
		return errno == ENOENT || error_sys(err, ERR_INPUT, "%s", sun->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, ERR_INPUT, "%s is there and is no socket", sun->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_sys(err, ERR_INTERNAL, "socket");
	rc = connect(fd, (const struct sockaddr *)sun, sizeof(*sun));
	close(fd);
	if (rc == 0 || errno != ECONNREFUSED)
		return error_set(err, ERR_CONFLICT, "somebody serves %s already", sun->sun_path);
	return unlink(sun->sun_path) == 0 || error_sys(err, ERR_INPUT, "remove %s", sun->sun_path);
}

/* 0660 from the first moment on. */
static int
open_socket(const char *path, struct stat *made, struct error *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	mode_t old;
	int fd, rc;

	if (path[0] == '\0' || strlen(path) >= sizeof(sun.sun_path)) {
		error_set(err, ERR_INPUT, "[fcgi] socket is %s",
		    path[0] == '\0' ? "not set, and no socket was inherited" : "too long");
		return -1;
	}
	memcpy(sun.sun_path, path, strlen(path) + 1);
	if (!clear_stale(&sun, err))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		error_sys(err, ERR_INTERNAL, "socket");
		return -1;
	}
	old = umask(0117);
	rc = bind(fd, (const struct sockaddr *)&sun, sizeof(sun));
	umask(old);
	if (rc != 0 || listen(fd, BACKLOG) != 0 || stat(path, made) != 0) {
		error_sys(err, ERR_INPUT, "listen on %s", path);
		close(fd);
		return -1;
	}
	return fd;
}

/* Only while it is still the one that we made. */
static void
remove_socket(const char *path, const struct stat *made)
{
	struct stat now;

	if (made->st_ino != 0 && lstat(path, &now) == 0 && now.st_ino == made->st_ino &&
	    now.st_dev == made->st_dev)
		unlink(path);
}

static int
fail(const struct error *err)
{
	log_event(LOG_LEVEL_ERROR, "start_failed", KV_ERR(err));
	return EXIT_FAILURE;
}

static int
run_master(const struct options *o, int fd)
{
	struct master m = { o->conf_path, &confs[0], &confs[1], o->workers, fd };
	char path[CONF_PATH_CAP];
	struct stat made = { 0 };
	struct error err = { 0 };
	int status;

	memcpy(path, confs[0].fcgi_socket, sizeof(path));
	if (fd < 0)
		m.listen_fd = open_socket(path, &made, &err);
	if (m.listen_fd < 0)
		return fail(&err);
	status = master_run(&m);
	remove_socket(path, &made);
	conf_clear(m.conf);
	return status;
}

static int
serve(const struct options *o)
{
	bool systemd = has_systemd_socket(), stdin_listens = is_listening(STDIN_FILENO);
	int fd = systemd ? SYSTEMD_FD : stdin_listens ? STDIN_FILENO : -1;
	struct error err = { 0 };
	int status;

	if (fd >= 0 && !is_unix(fd)) {
		error_set(&err, ERR_INPUT,
		    "the inherited socket is no Unix socket: FastCGI is not for a network");
		return fail(&err);
	}
	/* the last: StandardInput=socket */
	if (systemd || !stdin_listens || o->workers > 0 || is_for_us("SYSTEMD_EXEC_PID"))
		return run_master(o, fd);
	status = worker_run(&confs[0], fd, NULL);
	conf_clear(&confs[0]);
	return status;
}

/* What a worker makes of it is right, too: the store's URI, the keys. Nothing is connected. */
static int
check(struct conf *conf)
{
	static struct edge edge;
	struct error err = { 0 };
	bool right = edge_init(&edge, conf, &err);

	if (!right)
		fprintf(stderr, "%s\n", err.msg);
	edge_clear(&edge);
	conf_clear(conf);
	return right ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
	struct error err = { 0 };
	struct options o;
	int status = read_options(argc, argv, &o);

	if (status >= 0)
		return status;
	signal(SIGPIPE, SIG_IGN);
	log_open("roompay.fcgi", LOG_LEVEL_INFO);
	if (!privilege_seal(&err)) /* before a secret is read */
		return fail(&err);
	if (!conf_read(&confs[0], o.conf_path, CONF_FOR_FCGI, stderr, &err)) {
		if (o.check)
			fprintf(stderr, "%s\n", err.msg);
		return o.check ? EXIT_FAILURE : fail(&err);
	}
	if (o.check)
		return check(&confs[0]);
	log_open("roompay.fcgi", confs[0].log_level);
	log_shape(confs[0].log_format, confs[0].log_target);
	if (!privilege_drop(confs[0].user, &err))
		return fail(&err);
	assets_open(&confs[0]);
	return serve(&o);
}
