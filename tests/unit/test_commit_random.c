/* Several daemons on one log, with random requests and random faults of the log. Their tables must
 * stay equal to the one that the log makes. */
#include "config.h"

#include "commit_site.h"

static unsigned
pick(unsigned *seed, unsigned n)
{
	*seed = *seed * 1103515245 + 12345;
	return (*seed >> 16) % n;
}

static void
random_line(struct site *s, struct daemon *d, int peer, unsigned *seed)
{
	static const char *const names[] = { "a", "b", "c", "d" };
	static const char *const sets[] = { "600-720", "660-780", "720-800" };
	static const char *const outcomes[] = { "approved", "declined", "unknown", "refused",
		"restored" };
	unsigned id = 1 + pick(seed, 8 + (unsigned)s->shared.n / 3), kind = pick(seed, 9);
	char user[8], order[8], line[200];

	snprintf(user, sizeof(user), "u%s", names[pick(seed, 4)]);
	snprintf(order, sizeof(order), "o%u", pick(seed, 6));
	if (kind <= 2) {
		ask_hold_of(s, d, peer, user, names[pick(seed, 4)], order, sets[pick(seed, 3)]);
		return;
	}
	if (kind == 3)
		snprintf(line, sizeof(line), "r ready id=%u tid=T%u answer={}", id, id);
	else if (kind == 4)
		snprintf(line, sizeof(line), "f fail id=%u paid=0 failure=no", id);
	else if (kind == 5)
		snprintf(line, sizeof(line), "a approve id=%u n=%u key=00 deadline=%lld", id,
		    1 + pick(seed, 3), (long long)(s->w.now.boot_ms + 1000));
	else if (kind == 8)
		snprintf(line, sizeof(line),
		    "1 approve-first user=%s room=%s cids=" CID " key=00 deadline=%lld until=%lld",
		    user, names[pick(seed, 4)], (long long)(s->w.now.boot_ms + 1000),
		    (long long)(s->w.now.boot_ms + 500));
	else if (kind == 6)
		snprintf(line, sizeof(line), "o outcome id=%u token=%u outcome=%s n=%u", id,
		    1 + pick(seed, 20), outcomes[pick(seed, 5)], pick(seed, 3));
	else
		snprintf(line, sizeof(line), "x remove id=%u by=gateway n=0", id);
	ask(s, d, peer, line);
}

static void
daemons_on_one_log_always_have_the_same_table(void **state)
{
	size_t batches = 0;

	for (unsigned round = 0; round < 20; round++) {
		SITE(SHARED);
		unsigned seed = 7 + round;

		for (int step = 0; step < 600; step++) {
			struct daemon *d = &s->d[pick(&seed, DAEMONS)];

			d->f.delays = pick(&seed, 4) == 0;
			d->f.waits = pick(&seed, 4) == 0;
			d->f.deaf = pick(&seed, 3) == 0;
			d->f.fails = pick(&seed, 20) == 0;
			for (unsigned n = pick(&seed, 4); n > 0; n--)
				random_line(s, d, (int)pick(&seed, PEERS), &seed);
			if (pick(&seed, 30) == 0) {
				int peer = (int)pick(&seed, PEERS);

				command_peer_gone(d->c, &d->peer[peer]);
				peer_init(&d->peer[peer]);
			}
			world_pass(&s->w, pick(&seed, 50) == 0 ? 20000 : pick(&seed, 200));
			turn(s, d);
			for (int i = 0; i < PEERS; i++)
				d->heard[i][0] = '\0';
		}
		site_assert_agree(s);
		site_assert_agree(s); /* the first call may have committed what was pending */
		for (int i = 0; i < DAEMONS; i++)
			assert_int_equal(s->d[i].f.applied, s->shared.n);
		batches += s->shared.n;
		site_close(s);
	}
	assert_in_range(batches, 1000, 1000000); /* enough has happened */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(daemons_on_one_log_always_have_the_same_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
