#include "config.h"

#include "fcgi/gatherers.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum {
	WORKERS_MIN = 2, /* one alone has nobody to gather with */
	AGAIN_MS = 200,
	FORMER_MAX = 16,
	LEAVE_MS = 4000, /* a command may take 3 s */
	LOOK_MS = 5
};

static const char *const names[GATHER_LANES] = { "light", "heavy" };

static struct {
	const struct conf *conf;
	int listen_fd;
	struct gather *way; /* NULL: there are none */
	struct {
		pid_t pid; /* 0: dead */
		int64_t not_before_ms;
	} lane[GATHER_LANES];
	pid_t former[FORMER_MAX]; /* of earlier configurations; 0: none */
} all;

/* They end when nobody is left, not when they are told: workers that finish their last request
 * still need them. */
static void
become_gatherer(enum gather_lane lane)
{
	static const int deaf_to[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };
	struct error err = { 0 };

	for (size_t i = 0; i < sizeof(deaf_to) / sizeof(deaf_to[0]); i++)
		signal(deaf_to[i], SIG_IGN);
	prctl(PR_SET_NAME, lane == GATHER_HEAVY ? "roompay-heavy" : "roompay-light");
	close(all.listen_fd);
	if (gather_serve(all.way, lane, conf_store_uri(all.conf), all.conf->database, &err))
		exit(0);
	log_event(LOG_LEVEL_ERROR, "gatherer_failed", KV_STR("lane", names[lane]), KV_ERR(&err));
	exit(1);
}

static void
start(enum gather_lane lane)
{
	pid_t pid = fork();

	if (pid == 0)
		become_gatherer(lane);
	all.lane[lane].not_before_ms = clock_boot_ms() + AGAIN_MS;
	if (pid < 0) {
		log_event(LOG_LEVEL_ERROR, "fork_failed", KV_STR("error", strerror(errno)));
		return;
	}
	all.lane[lane].pid = pid;
	log_event(LOG_LEVEL_INFO, "gatherer_started", KV_INT("gatherer", pid),
	    KV_STR("lane", names[lane]));
}

/* They go with their last worker. */
static void
let_go(void)
{
	for (int i = 0; i < GATHER_LANES; i++) {
		for (int k = 0; k < FORMER_MAX && all.lane[i].pid != 0; k++)
			if (all.former[k] == 0) {
				all.former[k] = all.lane[i].pid;
				all.lane[i].pid = 0;
			}
		all.lane[i].pid = 0;
		all.lane[i].not_before_ms = 0;
	}
	gather_free(&all.way);
}

void
gatherers_begin(const struct conf *conf, int listen_fd, int64_t workers)
{
	struct error err = { 0 };

	let_go();
	all.conf = conf;
	all.listen_fd = listen_fd;
	if (workers < WORKERS_MIN)
		return;
	all.way = gather_new(&err);
	if (all.way == NULL)
		log_event(LOG_LEVEL_ERROR, "gatherers_failed", KV_ERR(&err));
	gatherers_start_missing();
}

const struct gather *
gatherers_way(void)
{
	return all.way;
}

bool
gatherers_reaped(pid_t pid, int status)
{
	bool killed = WIFSIGNALED(status);

	for (int i = 0; i < FORMER_MAX; i++)
		if (all.former[i] == pid) {
			all.former[i] = 0;
			return true;
		}
	for (int i = 0; i < GATHER_LANES; i++) {
		if (all.lane[i].pid != pid)
			continue;
		all.lane[i].pid = 0;
		log_event(LOG_LEVEL_ERROR, "gatherer_died", KV_INT("gatherer", pid),
		    KV_STR("lane", names[i]),
		    KV_INT(killed ? "signal" : "status",
			killed ? WTERMSIG(status) : WEXITSTATUS(status)));
		return true;
	}
	return false;
}

void
gatherers_start_missing(void)
{
	for (int i = 0; i < GATHER_LANES && all.way != NULL; i++)
		if (all.lane[i].pid == 0 && clock_boot_ms() >= all.lane[i].not_before_ms)
			start((enum gather_lane)i);
}

static bool
wait_for(pid_t *pid, int64_t until_boot_ms)
{
	const struct timespec moment = { .tv_nsec = LOOK_MS * 1000000L };

	while (*pid != 0 && waitpid(*pid, NULL, WNOHANG) == 0) {
		if (clock_boot_ms() >= until_boot_ms)
			return false;
		nanosleep(&moment, NULL);
	}
	*pid = 0;
	return true;
}

static void
end_one(pid_t *pid, int64_t until_boot_ms)
{
	if (wait_for(pid, until_boot_ms))
		return;
	log_event(LOG_LEVEL_ERROR, "gatherer_stuck", KV_INT("gatherer", *pid));
	kill(*pid, SIGKILL);
	waitpid(*pid, NULL, 0);
	*pid = 0;
}

void
gatherers_end(void)
{
	int64_t until = clock_boot_ms() + LEAVE_MS;

	gather_free(&all.way);
	for (int i = 0; i < GATHER_LANES; i++)
		end_one(&all.lane[i].pid, until);
	for (int i = 0; i < FORMER_MAX; i++)
		end_one(&all.former[i], until);
}
