#include "config.h"

#include "delivery/webhook.h"

#include <assert.h>
#include <ctype.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/webhook_key.h"

bool
webhook_sign(const struct secret *key, const char *id, int64_t timestamp_s, const char *body,
    struct buf *out, struct error *err)
{
	unsigned char raw[WEBHOOK_KEY_MAX], mac[DIGEST_LEN], text[(DIGEST_LEN + 2) / 3 * 4 + 1];
	struct buf signed_text = BUF_INIT;
	size_t raw_len = 0;
	bool done = false;

	if (!webhook_key_read(key, raw, &raw_len, err))
		goto out;
	buf_add_str(&signed_text, id);
	buf_add_char(&signed_text, '.');
	buf_add_int(&signed_text, timestamp_s);
	buf_add_char(&signed_text, '.');
	buf_add_str(&signed_text, body);
	if (signed_text.bad ||
	    !digest_hmac_sha256(raw, raw_len, signed_text.data, signed_text.len, mac)) {
		error_set(err, ERR_INTERNAL, "cannot sign");
		goto out;
	}
	EVP_EncodeBlock(text, mac, DIGEST_LEN);
	buf_add_str(out, "v1,");
	buf_add_str(out, (const char *)text);
	done = !out->bad || error_set(err, ERR_INTERNAL, "out of memory");
out:
	secret_wipe(raw, sizeof(raw));
	buf_clear(&signed_text);
	return done;
}

bool
webhook_sign_header(const struct secret *key, const struct secret *old_key, const char *id,
    int64_t timestamp_s, const char *body, struct buf *out, struct error *err)
{
	if (!webhook_sign(key, id, timestamp_s, body, out, err))
		return false;
	if (!secret_is_set(old_key))
		return true;
	buf_add_char(out, ' ');
	return webhook_sign(old_key, id, timestamp_s, body, out, err);
}

int64_t
webhook_retry_after_ms(int64_t tries, int64_t age_ms)
{
	static const int64_t seconds[] = { 5, 30, 2 * 60, 10 * 60, 30 * 60, 3600, 3 * 3600,
		6 * 3600 };
	enum { ROWS = sizeof(seconds) / sizeof(seconds[0]) };
	const int64_t give_up_ms = INT64_C(72) * 3600 * 1000;
	int64_t after_ms;

	assert(tries >= 1);
	after_ms = 1000 * seconds[tries <= ROWS ? tries - 1 : ROWS - 1]; /* the last one repeats */
	return age_ms + after_ms > give_up_ms ? -1 : after_ms;
}

bool
webhook_may_put_off(int64_t status)
{
	return status == 429 || status == 503;
}

/* Only digits: any number, however long, capped. -1: something else. */
static int64_t
read_seconds(const char *text, size_t len, int64_t max)
{
	int64_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return -1;
		n = 10 * n + (text[i] - '0');
		if (n > max)
			n = max;
	}
	return len > 0 ? n : -1;
}

int64_t
webhook_not_before_ms(const char *value, int64_t now_wall_ms)
{
	enum { MAX_S = 6 * 3600, DATE_CAP = 64 };
	char date[DATE_CAP];
	int64_t seconds, at_ms;
	size_t len;

	value += strspn(value, " \t");
	len = strlen(value);
	while (len > 0 && strchr(" \t\r\n", value[len - 1]) != NULL)
		len--;
	seconds = read_seconds(value, len, MAX_S);
	if (seconds >= 0)
		return seconds == 0 ? 0 : now_wall_ms + 1000 * seconds;
	if (len >= sizeof(date))
		return 0;
	memcpy(date, value, len);
	date[len] = '\0';
	if (!clock_parse_http(date, now_wall_ms, &at_ms) || at_ms <= now_wall_ms)
		return 0;
	return at_ms < now_wall_ms + MAX_S * 1000 ? at_ms : now_wall_ms + MAX_S * 1000;
}
