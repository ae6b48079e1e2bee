/* A site of several daemons on one log (fake_log.h), and a conversation with each of them. */
#pragma once

#include "fake_log.h"
#include "hold_world.h"
#include "queue/disk/order_log.h"
#include "queued/command.h"

enum { DAEMONS = 3, PEERS = 6 };

struct daemon {
	struct fake_log f;
	struct hold_table *table;
	struct order_log *orders;
	struct commands *c;
	struct peer peer[PEERS];
	char heard[PEERS][70000];
	int64_t next_boot_ms;
};

struct site {
	struct world w; /* the clock and the limits of all daemons */
	struct shared_log shared;
	struct daemon d[DAEMONS];
	char dir[64];
};

struct site *site_open(bool may_lose);
void site_close(struct site *s);
/* One turn of the event loop. What may leave is heard by the connections from then on. */
void turn(struct site *s, struct daemon *d);
/* Lets every daemon read to the end of the log. All must have the table that the log makes. */
void site_assert_agree(struct site *s);
/* A connection of a daemon sends this line. */
void ask(struct site *s, struct daemon *d, int peer, const char *line);
/* The user, room, order and times of a hold. */
void ask_hold_of(struct site *s, struct daemon *d, int peer, const char *user, const char *room,
    const char *order, const char *set);
void ask_hold(struct site *s, struct daemon *d, int peer, const char *name);
/* The line begins like this. "": there is none. */
void expect(struct daemon *d, int peer, const char *begin);
#define expect_silence(d, peer) expect((d), (peer), "")
/* The next line that was sent to this connection; "": none. */
const char *hear(struct daemon *d, int peer);
/* A count in the answer of stats. */
int64_t count_of(struct site *s, struct daemon *d, const char *name);
/* Opens a hold of room `name` for user "u" + name and order "o" + name. Returns its id. */
uint64_t open_hold(struct site *s, struct daemon *d, int peer, const char *name);
void ask_approve(struct site *s, struct daemon *d, int peer, uint64_t id);

/* Begins a test: daemons a and b of a site. */
#define SITE(kind) \
	struct site *s = site_open(kind); \
	struct daemon *a = &s->d[0], *b = &s->d[1]; \
	(void)state; \
	(void)a; \
	(void)b
enum { ONE_WRITER = false, SHARED = true };
