/* Preloaded into a program under test: its wall clock is wrong by as many milliseconds as the file
 * $CLOCK_OFF says. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	static int (*real)(clockid_t, struct timespec *);
	const char *path = getenv("CLOCK_OFF");
	FILE *f = id == CLOCK_REALTIME && path != NULL ? fopen(path, "r") : NULL;
	long long ms = 0;
	int rc;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	rc = real(id, ts);
	if (f != NULL) {
		if (fscanf(f, "%lld", &ms) != 1)
			ms = 0;
		fclose(f);
	}
	ts->tv_sec += ms / 1000;
	ts->tv_nsec += ms % 1000 * 1000000;
	if (ts->tv_nsec >= 1000000000 || ts->tv_nsec < 0) {
		long carry = ts->tv_nsec < 0 ? -1 : 1;

		ts->tv_sec += carry;
		ts->tv_nsec -= carry * 1000000000;
	}
	return rc;
}
