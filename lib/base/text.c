#include "config.h"

#include "base/text.h"

struct range {
	uint32_t first, last;
};

/* clang-format off */
static const struct range hidden[] = {	/* in order */
	{ 0x0000, 0x001f }, { 0x007f, 0x009f },	/* C0, DEL, C1 (U+009B: escape) */
	{ 0x00ad, 0x00ad },	/* soft hyphen */
	{ 0x034f, 0x034f },	/* combining grapheme joiner */
	{ 0x061c, 0x061c },	/* Arabic letter mark */
	{ 0x115f, 0x1160 },	/* Hangul fillers */
	{ 0x17b4, 0x17b5 },	/* Khmer inherent vowels */
	{ 0x180e, 0x180e },	/* Mongolian vowel separator */
	{ 0x200b, 0x200b },	/* zero-width space */
	{ 0x200e, 0x200f },	/* left-to-right and right-to-left mark */
	{ 0x2028, 0x202e },	/* line and paragraph separator, bidirectional overrides */
	{ 0x2060, 0x206f },	/* word joiner, invisible operators, isolates */
	{ 0x3164, 0x3164 },	/* Hangul filler */
	{ 0xfdd0, 0xfdef },	/* noncharacters */
	{ 0xfeff, 0xfeff },	/* byte order mark, zero-width no-break space */
	{ 0xffa0, 0xffa0 },	/* halfwidth Hangul filler */
	{ 0xfff0, 0xfffb },	/* unassigned ignorable ones, interlinear annotation */
	{ 0xfffe, 0xffff },	/* noncharacters */
	{ 0x1bca0, 0x1bca3 },	/* shorthand format controls */
	{ 0x1d173, 0x1d17a },	/* musical format controls */
	{ 0xe0000, 0xe00ff },	/* tags, and the unassigned ones around them */
	{ 0xe01f0, 0xe0fff },	/* behind the variation selectors: unassigned, ignorable */
};

static const struct range empty[] = {	/* in order: there is nothing to see of these alone */
	{ 0x0020, 0x0020 }, { 0x00a0, 0x00a0 }, { 0x1680, 0x1680 },
	{ 0x180b, 0x180d }, { 0x180f, 0x180f },	/* Mongolian variation selectors */
	{ 0x2000, 0x200a },
	{ 0x200c, 0x200d },	/* joiners */
	{ 0x202f, 0x202f }, { 0x205f, 0x205f },
	{ 0x2800, 0x2800 },	/* braille without dots */
	{ 0x3000, 0x3000 },
	{ 0xfe00, 0xfe0f }, { 0xe0100, 0xe01ef },	/* variation selectors */
};
/* clang-format on */
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool
is_in(uint32_t c, const struct range *ranges, size_t n)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (c > ranges[mid].last)
			low = mid + 1;
		else
			high = mid;
	}
	return low < n && c >= ranges[low].first;
}

/* Length and least value of a sequence by its first byte; 0: it begins none. */
static size_t
sequence(unsigned char first, uint32_t *c, uint32_t *least)
{
	static const uint32_t leasts[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = first < 0x80 ? 1
	    : first < 0xc0	? 0
	    : first < 0xe0	? 2
	    : first < 0xf0	? 3
	    : first < 0xf8	? 4
				: 0;

	*c = n == 1 ? first : first & (0x7fu >> n);
	*least = leasts[n];
	return n;
}

uint32_t
text_next(const char **p)
{
	const unsigned char *u = (const unsigned char *)*p;
	uint32_t c, least;
	size_t n;

	/* three bytes, neither overlong nor a surrogate: most of Korean */
	if (u[0] > 0xe0 && u[0] < 0xed && (u[1] & 0xc0) == 0x80 && (u[2] & 0xc0) == 0x80) {
		*p += 3;
		return (uint32_t)(u[0] & 0x0f) << 12 | (uint32_t)(u[1] & 0x3f) << 6 | (u[2] & 0x3f);
	}
	n = sequence(u[0], &c, &least);

	*p += u[0] != '\0';
	for (size_t i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return TEXT_NOT_UTF8;
		c = c << 6 | (u[i] & 0x3f);
	}
	if (n == 0 || c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return TEXT_NOT_UTF8;
	*p += n - 1;
	return c;
}

bool
text_is_utf8(const char *text)
{
	for (;;) {
		while (*text > 0 && *text < 0x7f) /* most texts are nothing else */
			text++;
		if (*text == '\0')
			return true;
		if (text_next(&text) == TEXT_NOT_UTF8)
			return false;
	}
}

bool
text_is_hidden(uint32_t c)
{
	if (c < 0x7f)
		return c < 0x20;
	if (c > 0x3164 && c < 0xfdd0) /* ideographs and Hangul syllables: none is in the table */
		return false;
	return c >= TEXT_NOT_UTF8 || (c & 0xfffe) == 0xfffe || is_in(c, hidden, COUNT(hidden));
}

bool
text_has_hidden(const char *text)
{
	for (;;) {
		while (*text >= 0x20 && *text < 0x7f) /* most texts are nothing else */
			text++;
		if (*text == '\0')
			return false;
		if (text_is_hidden(text_next(&text)))
			return true;
	}
}

bool
text_is_blank(const char *text)
{
	while (*text != '\0')
		if (!is_in(text_next(&text), empty, COUNT(empty)))
			return false;
	return true;
}

void
text_add_visible(struct buf *out, const char *text)
{
	while (*text != '\0') {
		const char *from = text;
		uint32_t c = text_next(&text);

		if (c == TEXT_NOT_UTF8)
			buf_printf(out, "\\x%02x", (unsigned)(unsigned char)*from);
		else if (text_is_hidden(c))
			buf_printf(out, c > 0xffff ? "\\u{%x}" : "\\u%04x", (unsigned)c);
		else
			buf_add(out, from, (size_t)(text - from));
	}
}

void
text_add_json_escape(struct buf *out, uint32_t c)
{
	if (c == TEXT_NOT_UTF8)
		c = 0xfffd;
	if (c > 0xffff)
		buf_printf(out, "\\u%04x\\u%04x", (unsigned)(0xd800 + ((c - 0x10000) >> 10)),
		    (unsigned)(0xdc00 + (c & 0x3ff)));
	else
		buf_printf(out, "\\u%04x", (unsigned)c);
}
