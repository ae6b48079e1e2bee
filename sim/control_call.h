/* One request to the control side. A handler reads it and ends in exactly one answer. */
#pragma once

#include <stdbool.h>

#include "json/field.h"
#include "sim/params.h"
#include "sim/sim.h"

struct control { /* one request */
	struct sim *sim;
	struct request *rq;
	struct json_object *body; /* of a POST */
	struct params query;
	const char *rest; /* the part of the path that follows the route's */
	struct buf *out;
};

void control_answer(struct control *c, int status); /* what is in c->out */
void control_answer_error(struct control *c, int status, const char *sentence);
void control_answer_failure(struct control *c, const struct error *err);
void control_answer_ok(struct control *c);
/* Reads the body by the rules. False: it has answered 400 and named the first mistake. */
bool control_read_body(struct control *c, const struct field_rule *rules, size_t n, void *out);
#define READ_BODY(c, rules, out) \
	control_read_body((c), (rules), sizeof(rules) / sizeof((rules)[0]), (out))
void control_separate(struct buf *out); /* a comma, but not after [ */
