#include "config.h"

#include "base/webhook_key.h"

#include <stdint.h>
#include <string.h>

static const char prefix[] = "whsec_";
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* n digits of base64 at text, four at a time but for the last ones. */
static void
decode(const char *text, size_t n, unsigned char *out)
{
	uint32_t bits = 0;
	int have = 0;

	for (size_t i = 0; i < n; i++) {
		bits = bits << 6 | (uint32_t)(strchr(alphabet, text[i]) - alphabet);
		have += 6;
		if (have >= 8) {
			have -= 8;
			*out++ = (unsigned char)(bits >> have);
		}
	}
}

/* One spelling only: whole groups of four, and = at the end alone. */
bool
webhook_key_read(const struct secret *key, unsigned char out[WEBHOOK_KEY_MAX], size_t *len,
    struct error *err)
{
	const char *text;
	size_t n, data;

	*len = 0;
	if (!secret_is_set(key) || strncmp(key->text, prefix, sizeof(prefix) - 1) != 0)
		return error_set(err, ERR_INPUT, "a webhook key begins with %s", prefix);
	text = key->text + sizeof(prefix) - 1;
	n = strlen(text);
	data = strspn(text, alphabet);
	if (n % 4 != 0 || n - data > 2 || strspn(text + data, "=") != n - data)
		return error_set(err, ERR_INPUT, "a webhook key is base64 after %s", prefix);
	if (data * 3 / 4 < WEBHOOK_KEY_MIN || data * 3 / 4 > WEBHOOK_KEY_MAX)
		return error_set(err, ERR_INPUT, "a webhook key has %d to %d bytes",
		    WEBHOOK_KEY_MIN, WEBHOOK_KEY_MAX);
	*len = data * 3 / 4;
	decode(text, data, out);
	return true;
}
