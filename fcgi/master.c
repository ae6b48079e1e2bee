#include "config.h"

#include "fcgi/master.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "fcgi/assets.h"
#include "fcgi/gatherers.h"
#include "fcgi/worker.h"
#include "site/conf_read.h"
#include "site/metrics.h"

enum {
	SLOTS_MAX = 1000,
	LOOK_EVERY_MS = 250,
	STUCK_MARGIN_MS = 3000,
	DRAIN_MARGIN_MS = 2000,
	STEADY_MS = 5000,
	BACKOFF_MIN_MS = 50,
	BACKOFF_MAX_MS = 5000
};

struct slot {
	pid_t pid; /* 0: empty */
	bool old;  /* runs an older configuration: to be replaced */
	bool told; /* to end */
	int64_t started_ms, not_before_ms, backoff_ms; /* boot clock */
};

static struct slot slots[SLOTS_MAX];
static size_t n_slots;
static struct { /* with the workers */
	_Atomic int64_t beats[SLOTS_MAX];
	_Atomic bool draining;
} * shared;

static int64_t
wanted(const struct master *m)
{
	return m->workers > 0 ? m->workers : m->conf->workers;
}

/* In the child. If the master died meanwhile the signal of its death is already past. */
static void
become_worker(const struct master *m, pid_t parent, size_t i)
{
	const struct worker_share share = { &shared->beats[i], &shared->draining, gatherers_way() };

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(0);
	exit(worker_run(m->conf, m->listen_fd, &share));
}

static void
start_worker(const struct master *m, size_t i)
{
	pid_t self = getpid(), pid;

	atomic_store(&shared->beats[i], 0);
	pid = fork();
	if (pid == 0)
		become_worker(m, self, i);
	slots[i].started_ms = clock_boot_ms();
	slots[i].old = slots[i].told = false;
	if (pid < 0) {
		log_event(LOG_LEVEL_ERROR, "fork_failed", KV_STR("error", strerror(errno)));
		slots[i].not_before_ms = slots[i].started_ms + BACKOFF_MAX_MS;
		return;
	}
	slots[i].pid = pid;
	log_event(LOG_LEVEL_INFO, "worker_started", KV_INT("worker", pid));
}

/* One that lived for a while is replaced at once; one that dies again and again is given more and
 * more time. */
static void
set_backoff(struct slot *s, int64_t now)
{
	if (s->told || now - s->started_ms >= STEADY_MS)
		s->backoff_ms = 0;
	else if (s->backoff_ms == 0)
		s->backoff_ms = BACKOFF_MIN_MS;
	else
		s->backoff_ms =
		    s->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : s->backoff_ms * 2;
	s->not_before_ms = now + s->backoff_ms;
}

static void
log_death(pid_t pid, int status, bool told)
{
	if (WIFSIGNALED(status))
		log_event(told ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "worker_died",
		    KV_INT("worker", pid), KV_INT("signal", WTERMSIG(status)));
	else
		log_event(told && WEXITSTATUS(status) == 0 ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR,
		    "worker_ended", KV_INT("worker", pid), KV_INT("status", WEXITSTATUS(status)));
}

static void
reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; !gatherers_reaped(pid, status) && i < n_slots; i++)
			if (slots[i].pid == pid) {
				log_death(pid, status, slots[i].told);
				set_backoff(&slots[i], clock_boot_ms());
				slots[i].pid = 0;
			}
}

static void
start_missing(const struct master *m)
{
	int64_t now = clock_boot_ms();

	for (size_t i = 0; i < n_slots; i++)
		if (slots[i].pid == 0 && (int64_t)i < wanted(m) && now >= slots[i].not_before_ms)
			start_worker(m, i);
}

/* A request that is still running long after its deadline hangs in something that has no time-out.
 */
static void
kill_stuck(const struct master *m)
{
	int64_t now = clock_boot_ms();

	for (size_t i = 0; i < n_slots; i++) {
		int64_t began = atomic_load(&shared->beats[i]);

		if (slots[i].pid == 0 || began == 0 ||
		    now - began < m->conf->deadline_ms + STUCK_MARGIN_MS)
			continue;
		log_event(LOG_LEVEL_ERROR, "worker_stuck", KV_INT("worker", slots[i].pid),
		    KV_INT("ms", now - began));
		kill(slots[i].pid, SIGKILL);
		atomic_store(&shared->beats[i], 0);
	}
}

static void
tell_to_end(struct slot *s)
{
	if (s->pid == 0 || s->told)
		return;
	s->told = true;
	kill(s->pid, SIGTERM);
}

/* One worker at a time is on its way out, so that the others go on. Those above the number wanted
 * end too. */
static void
replace_old(const struct master *m)
{
	for (size_t i = 0; i < n_slots; i++)
		if (slots[i].told && slots[i].pid != 0)
			return;
	for (size_t i = 0; i < n_slots; i++)
		if (slots[i].pid != 0 && (slots[i].old || (int64_t)i >= wanted(m))) {
			tell_to_end(&slots[i]);
			return;
		}
}

static void
reload(struct master *m)
{
	struct conf *fresh = m->spare;
	struct error err = { 0 };

	if (!conf_read(fresh, m->conf_path, CONF_FOR_FCGI, stderr, &err)) {
		log_event(LOG_LEVEL_ERROR, "reload_refused", KV_ERR(&err));
		return;
	}
	if (strcmp(fresh->fcgi_socket, m->conf->fcgi_socket) != 0)
		log_event(LOG_LEVEL_WARN, "reload_partly",
		    KV_STR("why", "another socket needs a restart"));
	conf_clear(m->conf);
	m->spare = m->conf;
	m->conf = fresh;
	log_open("roompay.fcgi", fresh->log_level);
	log_shape(fresh->log_format, fresh->log_target);
	metrics_open(fresh->metrics_dir, METRICS_FCGI);
	assets_open(fresh);
	gatherers_begin(fresh, m->listen_fd, wanted(m));
	for (size_t i = 0; i < n_slots; i++)
		slots[i].old = slots[i].pid != 0;
	if (wanted(m) > (int64_t)n_slots)
		n_slots = (size_t)wanted(m);
	log_event(LOG_LEVEL_INFO, "reloaded", KV_INT("workers", wanted(m)));
}

static size_t
alive(void)
{
	size_t n = 0;

	for (size_t i = 0; i < n_slots; i++)
		n += slots[i].pid != 0;
	return n;
}

static void
tell_watchdog(int64_t now)
{
	static int64_t told_ms;
	int64_t every = notify_watchdog_ms();

	if (every <= 0 || now - told_ms < every)
		return;
	told_ms = now;
	notify("WATCHDOG=1");
}

/* The next signal, or 0 when it is time to look around: a slot that waits for its next worker is
 * not kept waiting longer than it should. */
static int
next_signal(const sigset_t *set)
{
	int64_t now = clock_boot_ms(), wait_ms = LOOK_EVERY_MS;
	struct timespec wait = { 0 };
	int sig;

	tell_watchdog(now); /* here, where both loops wait: a master that drains lives, too */
	for (size_t i = 0; i < n_slots; i++)
		if (slots[i].pid == 0 && slots[i].not_before_ms > now &&
		    slots[i].not_before_ms - now < wait_ms)
			wait_ms = slots[i].not_before_ms - now;
	wait.tv_nsec = (long)wait_ms * 1000000L;
	sig = sigtimedwait(set, NULL, &wait);
	return sig < 0 ? 0 : sig;
}

static void
look_after_workers(const struct master *m)
{
	reap();
	kill_stuck(m);
	replace_old(m);
	gatherers_start_missing();
	start_missing(m);
}

/* A load balancer needs time to see that readyz says no, and sends requests until then: they are
 * served as ever. A second signal ends the wait. */
static void
take_leave(const struct master *m, const sigset_t *set)
{
	int64_t end = clock_boot_ms() + m->conf->drain_ms;
	int sig = 0;

	if (m->conf->drain_ms == 0)
		return;
	atomic_store(&shared->draining, true);
	log_event(LOG_LEVEL_INFO, "draining", KV_INT("ms", m->conf->drain_ms));
	while (clock_boot_ms() < end && sig != SIGTERM && sig != SIGINT) {
		look_after_workers(m);
		sig = next_signal(set);
	}
}

/* However long the unit gives for a stop: this one takes as long as its settings say. */
static void
tell_stopping(const struct master *m)
{
	int64_t ms = m->conf->drain_ms + m->conf->deadline_ms + 2 * DRAIN_MARGIN_MS;
	char text[80];

	snprintf(text, sizeof(text), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%lld", (long long)ms * 1000);
	notify(text);
}

static void
drain(const struct master *m, const sigset_t *set)
{
	int64_t end = clock_boot_ms() + m->conf->deadline_ms + DRAIN_MARGIN_MS;

	for (size_t i = 0; i < n_slots; i++)
		tell_to_end(&slots[i]);
	reap();
	while (alive() > 0 && clock_boot_ms() < end) {
		next_signal(set);
		reap();
	}
	for (size_t i = 0; i < n_slots; i++)
		if (slots[i].pid != 0) {
			log_event(LOG_LEVEL_ERROR, "worker_stuck", KV_INT("worker", slots[i].pid));
			kill(slots[i].pid, SIGKILL);
			waitpid(slots[i].pid, NULL, 0);
		}
	gatherers_end();
}

int
master_run(struct master *m)
{
	static const int signals[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP };
	sigset_t set;
	int sig = 0;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	metrics_open(m->conf->metrics_dir, METRICS_FCGI);
	n_slots = (size_t)wanted(m);
	shared =
	    mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED) {
		log_event(LOG_LEVEL_ERROR, "master_failed", KV_STR("error", strerror(errno)));
		return 1;
	}
	log_event(LOG_LEVEL_INFO, "master_started", KV_INT("workers", wanted(m)));
	gatherers_begin(m->conf, m->listen_fd, wanted(m));
	start_missing(m);
	notify("READY=1");
	while (sig != SIGTERM && sig != SIGINT) {
		if (sig == SIGHUP)
			reload(m);
		look_after_workers(m);
		sig = next_signal(&set);
	}
	tell_stopping(m);
	take_leave(m, &set);
	drain(m, &set);
	log_event(LOG_LEVEL_INFO, "master_ended", KV_INT("signal", sig));
	return 0;
}
