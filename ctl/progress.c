#include "config.h"

#include "ctl/progress.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

enum { EVERY_MS = 100, BAR = 30 };

static bool shown;
static int64_t last_ms;

void
progress_show(const char *what, size_t done, size_t all)
{
	static const char full[] = "##############################";
	int n = (int)(BAR * done / all);
	int64_t now = clock_boot_ms();

	if (!isatty(STDERR_FILENO) || (shown && now - last_ms < EVERY_MS))
		return;
	shown = true;
	last_ms = now;
	fprintf(stderr, "\r%s [%.*s%*s] %zu/%zu ", what, n, full, BAR - n, "", done, all);
}

void
progress_end(void)
{
	if (shown)
		fputs("\r\033[K", stderr);
	shown = false;
}
