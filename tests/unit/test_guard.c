/* The guard: a process that was stopped for too long never wakes up. */
#include "config.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/guard.h"

enum { SURVIVED = 7 };

/* Runs child() in a process of its own, waits until it has stopped itself, until `later` ms have
 * passed, wakes it, and says how it ended. */
static int
stopped_for(void (*child)(void), int later_ms)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		child();
		_exit(SURVIVED);
	}
	poll(NULL, 0, later_ms);
	kill(pid, SIGCONT);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
stop_armed(void)
{
	struct error err;

	if (guard_arm(clock_boot_ms() + 200, &err))
		raise(SIGSTOP);
}

static void
stop_unarmed(void)
{
	raise(SIGSTOP);
}

static void
stop_disarmed(void)
{
	struct error err;

	for (int i = 0; i < 3; i++) { /* it may be armed again and again */
		if (!guard_arm(clock_boot_ms() + 200, &err))
			_exit(1);
		guard_disarm();
	}
	guard_disarm();
	raise(SIGSTOP);
}

static void
a_guarded_process_that_was_stopped_never_wakes_up(void **state)
{
	int status;

	(void)state;
	status = stopped_for(stop_armed, 600);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	status = stopped_for(stop_unarmed, 600);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == SURVIVED);
	status = stopped_for(stop_disarmed, 600);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == SURVIVED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_guarded_process_that_was_stopped_never_wakes_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
