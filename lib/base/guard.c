#include "config.h"

#include "base/guard.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

static timer_t timer;
static pid_t armed_by; /* 0: not armed. A child of fork has no timer, whatever this says */

bool
guard_arm(int64_t boot_ms, struct error *err)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
	struct itimerspec at = { .it_value = { .tv_sec = (time_t)(boot_ms / 1000),
				     .tv_nsec = (long)(boot_ms % 1000) * 1000000 } };

	assert(armed_by != getpid() && boot_ms > 0); /* 0 would be "no timer" to the kernel */
	if (timer_create(CLOCK_BOOTTIME, &ev, &timer) != 0)
		return error_sys(err, ERR_INTERNAL, "cannot make a timer");
	if (timer_settime(timer, TIMER_ABSTIME, &at, NULL) != 0) {
		error_sys(err, ERR_INTERNAL, "cannot set a timer");
		timer_delete(timer);
		return false;
	}
	armed_by = getpid();
	return true;
}

void
guard_disarm(void)
{
	if (armed_by != getpid())
		return;
	timer_delete(timer);
	armed_by = 0;
}
