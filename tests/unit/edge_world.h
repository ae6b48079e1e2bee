/*
 * A site's edge as the worker calls it: one request in, one answer out. What stands behind it
 * answers what the test says in `stub`, and notes what it was asked.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "base/clock.h"
#include "fcgi/call.h"
#include "fcgi/edge.h"

struct stub {
	struct flow_answer answer;
	struct flow_order_answer order;
	char called[40], user[USER_CAP], room[ROOM_CAP], tid[TID_CAP], request_id[REQUEST_ID_CAP],
	    cid[CID_CAP];
	int64_t deadline_boot_ms;
	bool by_reservation;
	size_t n_cids;
	bool prepare, hello, claim, ping, list; /* whether each of these succeeds */
	enum error_code why;			/* ... and if not, how it fails */
	const char *list_text;
	char fence[64], expected[QUEUE_ID_CAP];
	int prepares;
};
extern struct stub stub;
extern struct conf conf;
extern struct edge edge;
extern struct buf out;		 /* the answer */
extern struct json_object *json; /* its body */

int set_up(void **state);
int tear_down(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#define READY \
	"{\"userInfo\":{\"userId\":\"u-1\"},\"paymentInfo\":{\"cid\":\"%s\"," \
	"\"partner_order_id\":\"o-1\",\"partner_user_id\":\"p\"," \
	"\"item_name\":\"i\",\"quantity\":1," \
	"\"total_amount\":2200,\"tax_free_amount\":0,\"approval_url\":\"https://s.example/ok\"," \
	"\"cancel_url\":\"https://s.example/c\",\"fail_url\":\"https://s.example/f\"}," \
	"\"reservationInfo\":{\"day\":[1],\"startTime\":[10]," \
	"\"endTime\":[12],\"roomId\":\"0123456789ABCDEF01234567\"}}"
#define PLACE "\"userId\":\"u-1\",\"roomId\":\"0123456789ABCDEF01234567\""

struct http_request post(const char *path, const char *body);
struct http_request get(const char *path, const char *query, const char *authorization);

/* The status; `json` is the body. */
int ask(struct http_request rq);
/* The same of an answer that must have no body. */
int ask_for_headers(struct http_request rq);
int ask_ready(const char *cid);

/* Of the last answer. */
const char *member(const char *name);
void expect_header(const char *line);
void expect_problem(int got, int status, const char *code);
