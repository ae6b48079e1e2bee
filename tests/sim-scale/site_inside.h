/* The inside of a site: site.c has its machines, visitor.c those who come. */
#pragma once

#include <stdio.h>

#include "base/clock.h"
#include "judge.h"
#include "machine_log.h"
#include "queue/disk/order_log.h"
#include "queued/command.h"
#include "site.h"

struct visitor;

struct desk { /* one machine's daemon, for one log */
	struct site *site;
	int machine;
	struct machine_log log;
	struct hold_table *table;
	struct commands *commands;
	bool is_broken;
	int64_t timer_us; /* it has a turn then; INT64_MAX: it has none */
};

struct site {
	const struct plan *plan;
	struct clockwork *time;
	struct dice dice;
	struct mongo *mongo;
	struct judge *judge;
	struct order_log *orders;
	char dir[40];
	struct desk **desk;	    /* machines x logs; made when they are needed */
	struct hold_table **shared; /* one a log */
	struct visitor **visitor;
	size_t n_visitors, cap_visitors;
	uint64_t visits;
	struct visitor *idle; /* of those who come at random */
	bool lost_region;
	int lost;
	struct result *out;
	int64_t last_grant_us;
};

struct now site_now(const struct site *s);
bool site_is_warm(const struct site *s);
bool site_has_machine(const struct site *s, int machine);
int site_machine_for(struct site *s, uint64_t room, int near); /* of the region of `near`; -1: any
								*/
struct desk *site_desk(struct site *s, int machine, uint64_t room);
void desk_turn(struct desk *d);
/* A line without its LF, which is overwritten. */
void desk_ask(struct desk *d, struct peer *p, char *line, size_t len);

void visitors_come(struct site *s);
void visitor_hear(struct peer *p);
void visitors_flee(struct site *s); /* those whose machine is gone */
void visitors_free(struct site *s);
