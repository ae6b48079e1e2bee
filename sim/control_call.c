#include "config.h"

#include "sim/control_call.h"

#include <stdio.h>

#include "json/write.h"

void
control_answer(struct control *c, int status)
{
	c->rq->answer.status = status;
	c->rq->answer.type = "application/json";
	request_answer(c->rq);
}

void
control_answer_error(struct control *c, int status, const char *sentence)
{
	buf_reset(c->out);
	buf_add_char(c->out, '{');
	json_add_str_member(c->out, "error", sentence);
	buf_add_char(c->out, '}');
	control_answer(c, status);
}

void
control_answer_failure(struct control *c, const struct error *err)
{
	control_answer_error(c,
	    err->code == ERR_CONFLICT	 ? 409
		: err->code == ERR_INPUT ? 400
					 : 500,
	    err->msg);
}

void
control_answer_ok(struct control *c)
{
	buf_add_str(c->out, "{\"ok\":true}");
	control_answer(c, 200);
}

bool
control_read_body(struct control *c, const struct field_rule *rules, size_t n, void *out)
{
	struct field_errors errors = { 0 };
	char sentence[400];
	bool good;

	field_read(c->body, "", rules, n, false, NULL, out, &errors);
	good = errors.n == 0 && !errors.bad;
	if (errors.n > 0) {
		snprintf(sentence, sizeof(sentence), "%s: %s", errors.e[0].pointer,
		    field_code_name(errors.e[0].code));
		control_answer_error(c, 400, sentence);
	} else if (!good)
		control_answer_error(c, 500, "out of memory");
	field_errors_clear(&errors);
	return good;
}

void
control_separate(struct buf *out)
{
	if (out->len > 0 && out->data[out->len - 1] != '[')
		buf_add_char(out, ',');
}
