#include "config.h"

#include "tests/unit/sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"

char *
sample(const char *name)
{
	const char *top = getenv("srcdir");
	char path[512];
	struct buf b = BUF_INIT;
	char part[4096];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/data/kakaopay-%s.json", top == NULL ? "." : top,
	    name);
	f = fopen(path, "r");
	if (f == NULL)
		fail_msg("cannot open %s", path);
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		buf_add(&b, part, n);
	fclose(f);
	return buf_take(&b);
}
