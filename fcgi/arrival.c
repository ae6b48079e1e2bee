#include "config.h"

#include "fcgi/arrival.h"

enum { HEADER_LEN = 8, FCGI_1 = 1, RESPONDER = 1, BEGIN_LEN = 8 };
enum record { BEGIN_REQUEST = 1, PARAMS = 4, STDIN = 5 };

struct scan {
	const unsigned char *at;
	size_t left;
	unsigned id; /* of the request */
};

static unsigned
number(const unsigned char *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* Steps over one record of this type and request. */
static bool
take(struct scan *s, enum record type, const unsigned char **content, size_t *len)
{
	size_t whole;

	if (s->left < HEADER_LEN || s->at[0] != FCGI_1 || s->at[1] != type ||
	    number(s->at + 2) != s->id)
		return false;
	*len = number(s->at + 4);
	*content = s->at + HEADER_LEN;
	whole = HEADER_LEN + *len + s->at[6];
	if (s->left < whole)
		return false;
	s->at += whole;
	s->left -= whole;
	return true;
}

/* Steps over a stream: its records, and the empty one that ends it. */
static bool
take_stream(struct scan *s, enum record type)
{
	const unsigned char *content;
	size_t len;

	do {
		if (!take(s, type, &content, &len))
			return false;
	} while (len > 0);
	return true;
}

bool
arrival_is_whole(const unsigned char *data, size_t len)
{
	struct scan s = { .at = data, .left = len, .id = len < HEADER_LEN ? 0 : number(data + 2) };
	const unsigned char *begin;
	size_t begin_len;

	return take(&s, BEGIN_REQUEST, &begin, &begin_len) && begin_len == BEGIN_LEN &&
	    number(begin) == RESPONDER && take_stream(&s, PARAMS) && take_stream(&s, STDIN) &&
	    s.left == 0;
}
