#include "config.h"

#include "queued/say.h"

void
say(struct commands *c, struct peer *p, const struct proto_message *m)
{
	if (p == NULL)
		return;
	proto_format(m, &p->out);
	news_add(&c->news, p);
}

void
say_line(struct commands *c, struct peer *p, const struct buf *line)
{
	if (p == NULL)
		return;
	if (line->bad)
		p->out.bad = true;
	buf_add(&p->out, line->data, line->len);
	news_add(&c->news, p);
}

void
say_message(struct commands *c, struct peer *p, const char *tag, const char *word,
    const char *message)
{
	struct proto_message m;

	proto_begin(&m, tag, word);
	proto_set_text(&m, ARG_MESSAGE, message);
	say(c, p, &m);
}

void
say_wait(struct commands *c, struct peer *p, const char *tag)
{
	say_message(c, p, tag, hold_answer_name(HA_WAIT), "");
}

void
say_in_progress(struct commands *c, struct peer *p, const char *tag, const char *failure)
{
	struct proto_message m;

	proto_begin(&m, tag, hold_answer_name(HA_IN_PROGRESS));
	proto_set_num(&m, ARG_RETRY_MS, RETRY_MS);
	proto_set_text(&m, ARG_FAILURE, failure);
	say(c, p, &m);
}

void
say_pokes(struct commands *c, struct peer *p, const char *tag)
{
	struct proto_message m;

	proto_begin(&m, tag, "ok");
	proto_set_num(&m, ARG_POKES, c->pokes);
	say(c, p, &m);
}
