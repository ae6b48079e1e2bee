#include "config.h"

#include "queued/peer.h"

#include <string.h>

void
peer_init(struct peer *p)
{
	memset(p, 0, sizeof(*p));
}

void
peer_clear(struct peer *p, struct news *list)
{
	if (p->has_news)
		TAILQ_REMOVE(list, p, news);
	p->has_news = false;
	buf_clear(&p->out);
}

void
news_add(struct news *list, struct peer *p)
{
	if (!p->has_news)
		TAILQ_INSERT_TAIL(list, p, news);
	p->has_news = true;
}

struct peer *
news_take(struct news *list)
{
	struct peer *p = TAILQ_FIRST(list);

	if (p == NULL)
		return NULL;
	TAILQ_REMOVE(list, p, news);
	p->has_news = false;
	return p;
}
