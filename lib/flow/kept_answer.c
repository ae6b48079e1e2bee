#include "config.h"

#include "flow/kept_answer.h"

#include <inttypes.h>
#include <json.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"
#include "flow/answer.h"
#include "json/write.h"

/* KakaoPay's URLs name the same page, each by the same long word: it is kept once. */
enum { PAGE_MIN = 32, PAGE_CAP = 129, PAGE_MARK = '*' };

/* The longest word of the URL, if it is long; "" where there is none, or where a URL holds the mark
 * itself. */
static void
find_page(const struct provider_opened *o, char page[PAGE_CAP])
{
	const char *const urls[] = { o->next_redirect_pc_url, o->next_redirect_app_url,
		o->next_redirect_mobile_url, o->android_app_scheme, o->ios_app_scheme };
	size_t best = 0, len;

	page[0] = '\0';
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
		if (strchr(urls[i], PAGE_MARK) != NULL)
			return;
	for (const char *p = urls[0]; *p != '\0'; p += len + (p[len] != '\0')) {
		len = strspn(p, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
		if (len >= PAGE_MIN && len < PAGE_CAP && len > best) {
			best = len;
			memcpy(page, p, len);
			page[len] = '\0';
		}
	}
}

static void
add_url(struct buf *b, const char *name, const char *url, const char *page)
{
	struct buf shorter = BUF_INIT;
	const char *at;

	for (; page[0] != '\0' && (at = strstr(url, page)) != NULL; url = at + strlen(page)) {
		buf_add(&shorter, url, (size_t)(at - url));
		buf_add_char(&shorter, PAGE_MARK);
	}
	buf_add_str(&shorter, url);
	if (shorter.bad)
		b->bad = true;
	else
		json_add_str_member(b, name, buf_str(&shorter));
	buf_clear(&shorter);
}

/* What does not fit is cut: it was written from what fits. */
static void
read_url(const struct json_object *o, const char *name, const char *page, char *out, size_t cap)
{
	const char *kept = json_object_get_string(json_object_object_get(o, name));
	size_t n = 0;

	for (; kept != NULL && *kept != '\0'; kept++) {
		size_t len = page[0] != '\0' && *kept == PAGE_MARK ? strlen(page) : 1;

		if (n + len >= cap)
			break;
		memcpy(out + n, len > 1 ? page : kept, len);
		n += len;
	}
	out[n] = '\0';
}

bool
flow_keep_answer(const struct provider_opened *o, int64_t wall_offset_ms, char out[ANSWER_MAX],
    struct error *err)
{
	char page[PAGE_CAP];
	struct buf b;
	bool fits;

	buf_init(&b, ANSWER_MAX - 1);
	buf_add_char(&b, '{');
	json_add_str_member(&b, "tid", o->tid);
	find_page(o, page);
	json_add_str_member(&b, "page", page);
	add_url(&b, "app", o->next_redirect_app_url, page);
	add_url(&b, "mobile", o->next_redirect_mobile_url, page);
	add_url(&b, "pc", o->next_redirect_pc_url, page);
	add_url(&b, "android", o->android_app_scheme, page);
	add_url(&b, "ios", o->ios_app_scheme, page);
	json_add_int_member(&b, "created", o->created_at_ms);
	json_add_int_member(&b, "offset", wall_offset_ms);
	buf_add_char(&b, '}');
	fits = !b.bad;
	if (fits)
		memcpy(out, buf_str(&b), b.len + 1);
	buf_clear(&b);
	return fits ||
	    error_set(err, ERR_INTERNAL, "KakaoPay's ready answer is longer than %d bytes",
		ANSWER_MAX);
}

static void
read_text(const struct json_object *o, const char *name, char *out, size_t cap)
{
	const char *text = json_object_get_string(json_object_object_get(o, name));

	text_copy(out, cap, text == NULL ? "" : text);
}

static int64_t
read_number(const struct json_object *o, const char *name)
{
	return json_object_get_int64(json_object_object_get(o, name));
}

bool
flow_read_kept_answer(const struct queue_hold *h, struct flow_ready_answer *out, struct error *err)
{
	struct json_object *o = json_tokener_parse(h->answer);
	char page[PAGE_CAP];

	if (!json_object_is_type(o, json_type_object)) {
		json_object_put(o);
		return error_set(err, ERR_INTERNAL, "hold %" PRIu64 " has no answer to repeat",
		    h->id);
	}
	read_text(o, "tid", out->opened.tid, sizeof(out->opened.tid));
	read_text(o, "page", page, sizeof(page));
	read_url(o, "app", page, out->opened.next_redirect_app_url,
	    sizeof(out->opened.next_redirect_app_url));
	read_url(o, "mobile", page, out->opened.next_redirect_mobile_url,
	    sizeof(out->opened.next_redirect_mobile_url));
	read_url(o, "pc", page, out->opened.next_redirect_pc_url,
	    sizeof(out->opened.next_redirect_pc_url));
	read_url(o, "android", page, out->opened.android_app_scheme,
	    sizeof(out->opened.android_app_scheme));
	read_url(o, "ios", page, out->opened.ios_app_scheme, sizeof(out->opened.ios_app_scheme));
	out->opened.created_at_ms = read_number(o, "created");
	out->expires_wall_ms = h->expires_boot_ms + read_number(o, "offset");
	out->expires_in_ms = h->expires_boot_ms - clock_boot_ms();
	json_object_put(o);
	return true;
}

void
flow_keep_failure(const struct flow_answer *a, char out[FAILURE_CAP])
{
	snprintf(out, FAILURE_CAP, "%d %d %" PRId64, (int)a->result, (int)a->charged, a->retry_ms);
}

bool
flow_read_kept_failure(const char *failure, struct flow_answer *out)
{
	int result, charged;
	int64_t retry_ms;

	if (sscanf(failure, "%d %d %" SCNd64, &result, &charged, &retry_ms) != 3)
		return false;
	if (result <= FR_OK || result >= FR__MAX || charged < FC_ABSENT || charged > FC_UNKNOWN)
		return false;
	flow_answer_set(out, (enum flow_result)result, (enum flow_charged)charged, retry_ms);
	return true;
}
