/*
 * Preloaded into a program under test: counts its steps (what leaves it: bytes on a socket, writes
 *and syncs of its files) and kills a process with SIGKILL at one of them. $KILLPOINT names a file
 *of eight 64-bit numbers that the test shares with us:
 *
 *	armed	0: nothing is counted
 *	count	steps so far
 *	at	the step at which somebody dies; 0: nobody
 *	pid	who; 0: this process
 *	after	1: once the step is done, 0: before it
 *	fired	how often somebody died
 *	signal	0: SIGKILL; SIGSTOP: it stands still instead
 *	counter	whose steps are counted; 0: those of every process with this file
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct control {
	_Atomic int64_t armed, count, at, pid, after, fired, signal, counter;
};

static struct control *control;

static void __attribute__((constructor)) begin(void)
{
	const char *path = getenv("KILLPOINT");
	int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	control = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (control == MAP_FAILED)
		control = NULL;
	close(fd);
}

static int
is_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

static void
die(void)
{
	pid_t pid = (pid_t)control->pid;

	control->fired++;
	control->at = 0;
	kill(pid == 0 ? getpid() : pid, control->signal == 0 ? SIGKILL : (int)control->signal);
	for (int i = 0; pid != 0 && control->signal == 0 && i < 1000 && kill(pid, 0) == 0; i++)
		usleep(1000); /* a step further it must not be there any more */
}

/* The number of this step, 0: not counted. */
static int64_t
step(void)
{
	int64_t n;

	if (control == NULL || control->armed == 0 ||
	    (control->counter != 0 && control->counter != getpid()))
		return 0;
	n = atomic_fetch_add(&control->count, 1) + 1;
	if (n == control->at && control->after == 0)
		die();
	return n;
}

static void
done(int64_t n)
{
	if (n != 0 && n == control->at && control->after != 0)
		die();
}

#define HOOK(type, name, params, counted, ...) \
	type name params; \
	type name params \
	{ \
		static type(*real) params; \
		int64_t n = (counted) ? step() : 0; \
		type result; \
\
		if (real == NULL) \
			*(void **)&real = dlsym(RTLD_NEXT, #name); \
		result = real(__VA_ARGS__); \
		if (n != 0) \
			done(n); \
		return result; \
	}

HOOK(ssize_t, send, (int fd, const void *p, size_t len, int flags), 1, fd, p, len, flags)
HOOK(ssize_t, sendto,
    (int fd, const void *p, size_t len, int flags, const struct sockaddr *to, socklen_t n_to), 1,
    fd, p, len, flags, to, n_to)
HOOK(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), 1, fd, m, flags)
HOOK(ssize_t, write, (int fd, const void *p, size_t len), is_socket(fd), fd, p, len)
HOOK(ssize_t, writev, (int fd, const struct iovec *v, int n_v), is_socket(fd), fd, v, n_v)
HOOK(ssize_t, pwrite, (int fd, const void *p, size_t len, off_t at), 1, fd, p, len, at)
HOOK(ssize_t, pwrite64, (int fd, const void *p, size_t len, off_t at), 1, fd, p, len, at)
HOOK(int, fdatasync, (int fd), 1, fd)
HOOK(int, fsync, (int fd), 1, fd)
HOOK(int, renameat, (int d, const char *from, int e, const char *to), 1, d, from, e, to)
HOOK(int, unlinkat, (int d, const char *name, int flags), 1, d, name, flags)
