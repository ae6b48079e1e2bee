/* What stands behind an option: read, and said where it is a mistake. */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "ctl/command.h"
#include "ctl/lang.h"

bool
ctl_parse_number(const char *name, const char *text, int64_t min, int64_t max, int64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoll(text, &end, 10);
	if (isdigit((unsigned char)text[0]) && *end == '\0' && errno == 0 && *out >= min &&
	    *out <= max)
		return true;
	fprintf(stderr,
	    tr("roompayctl: --%s must be a whole number from %" PRId64 " to %" PRId64 "\n",
		"roompayctl: --%s는 %" PRId64 "부터 %" PRId64 "까지의 정수입니다\n"),
	    name, min, max);
	return false;
}

bool
ctl_parse_when(const char *name, const char *text, int64_t *out)
{
	if (clock_parse_when(text, out))
		return true;
	fprintf(stderr,
	    tr("roompayctl: --%s must be YYYY-MM-DD (Korean time) or RFC 3339\n",
		"roompayctl: --%s는 YYYY-MM-DD(한국 시각) 또는 RFC 3339입니다\n"),
	    name);
	return false;
}

bool
ctl_take_text(const char *name, const char *text, char *out, size_t cap)
{
	if (text_copy(out, cap, text == NULL ? "" : text))
		return true;
	fprintf(stderr,
	    tr("roompayctl: --%s is longer than %zu bytes\n",
		"roompayctl: --%s가 %zu바이트보다 깁니다\n"),
	    name, cap - 1);
	return false;
}

bool
ctl_check_room(const char *room)
{
	size_t n = 0;

	if (room == NULL)
		return true;
	while (isxdigit((unsigned char)room[n]))
		n++;
	if (n == 24 && room[n] == '\0')
		return true;
	fputs(tr("roompayctl: --room is an ObjectId: 24 hexadecimal digits\n",
		  "roompayctl: --room은 ObjectId, 즉 16진수 24자리입니다\n"),
	    stderr);
	return false;
}

bool
ctl_check_cid(const char *cid, const struct conf *conf)
{
	if (cid == NULL)
		return true;
	for (size_t i = 0; i < conf->n_merchants; i++)
		if (strcmp(conf->merchants[i].cid, cid) == 0)
			return true;
	fprintf(stderr,
	    tr("roompayctl: --cid %s has no [merchant] section in the configuration\n",
		"roompayctl: --cid %s: 설정에 그런 [merchant] 절이 없습니다\n"),
	    cid);
	return false;
}
