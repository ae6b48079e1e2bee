#include "config.h"

#include "base/form.h"

#include <ctype.h>
#include <string.h>

#include "base/hex.h"

void
form_encode(struct buf *out, const char *text)
{
	static const char digits[] = "0123456789ABCDEF";

	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		const char escaped[3] = { '%', digits[*p >> 4], digits[*p & 15] };

		if (isascii(*p) && (isalnum(*p) || strchr("-._~", *p) != NULL))
			buf_add_char(out, (char)*p);
		else
			buf_add(out, escaped, sizeof(escaped));
	}
}

void
form_decode(struct buf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int high = text[i] == '%' && i + 2 < len ? hex_digit(text[i + 1]) : -1;
		int low = high < 0 ? -1 : hex_digit(text[i + 2]);

		if (low >= 0) {
			buf_add_char(out, (char)(high << 4 | low));
			i += 2;
		} else {
			buf_add_char(out, text[i] == '+' ? ' ' : text[i]);
		}
	}
}
