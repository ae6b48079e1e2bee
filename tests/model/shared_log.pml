/*
 * The queue's shared log in MongoDB, as doc/scale-out.md describes it. Daemons append records under
 * consecutive numbers; a keyed insert decides who gets a number. Spin walks through all states.
 *
 * What is modelled: inserts whose end is unknown, a primary that loses what no majority had, a daemon
 * that is stopped at any point for as long as one likes (another process simply runs), crashes and
 * restarts, snapshots and the deletion of old records, an older database put back.
 *
 * The steps of a daemon carry the names of the functions that do them (queuelog/state.h, writer.c,
 * reader.c, keeper.c; queued/mongo_log.c). Daemon and helper are one process here.
 *
 * Each guard can be taken out with -DNO_<guard>. tests/model/check.sh shows that Spin then finds a
 * violation; with all guards in place it finds none.
 *
 *   NO_MAJORITY_READ   records are read from the primary before a majority has them
 *   NO_DECIDE_AGAIN    who lost a number appends what it had decided before
 *   NO_INDEPENDENT     a batch holds two commands that depend on each other
 *   NO_NONCE           a duplicate counts as ours, whoever wrote it
 *   NO_HOUR            records are deleted as soon as a snapshot has them
 *   NO_CLUSTER_TIME    an acknowledgement counts, however old the last look at the newest snapshot is
 *   NO_FLOOR_AT_END    "the next number is missing" counts as the log's end without a look at the
 *                      newest snapshot
 *   NO_BARRIER         a final "no" is said from the table alone
 *   NO_VERIFY          after a reconnect nobody looks whether the last record is still there
 *   NO_DISK            a daemon that starts does not compare the log with what its disk remembers
 */
#ifndef DAEMONS
#define DAEMONS 2
#endif
#ifndef LAST
#define LAST 3		/* the highest number that is appended */
#endif
#ifndef SEQ
#define SEQ 2		/* appends of one daemon, repeats not counted */
#endif
#ifndef HOURS
#define HOURS 1
#endif
#ifndef FAILOVERS
#define FAILOVERS 1
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef RESTORES
#define RESTORES 0
#endif

/* One room with one time. A record grants it to user 1 or 2, or gives it back. */
#define RELEASE	0
#define GRANT_1	1
#define GRANT_2	2
#define GRANT_BOTH 3	/* only without NO_INDEPENDENT's guard */

/* A record's value is unique, as its nonce makes it: writer, its count, what it says. 0: no record. */
#define VALUE(by, count, kind)	(1 + ((by) * SEQ + (count)) * 4 + (kind))
#define KIND(v)			(((v) - 1) % 4)
#define AFTER(owner, v)		(KIND(v) == RELEASE -> 0 : KIND(v))
#define FITS(owner, v)		(KIND(v) == RELEASE -> (owner) != 0 : (owner) == 0 && KIND(v) != GRANT_BOTH)

#define IDLE	0
#define WAITING	1	/* one append in hand */
#define STOPPED	2	/* the database is behind: an operator is needed */

#define NONE	0
#define ACK	1
#define DUP	2

/* --- the database */
byte log[LAST + 2];		/* what a majority has */
byte pend[LAST + 2];		/* what the primary has and no majority yet */
byte floor_n, floor_owner, floor_last;	/* the newest snapshot: the state after this number, and its record */
byte floor_old;			/* the newest that was there an hour ago, by the cluster's time */

/* --- what really happened; no program sees this */
byte hist[LAST + 2];		/* the record that a number stands for */
byte owner_at[LAST + 2];
byte true_n;

/* --- the daemons */
byte k[DAEMONS];		/* applied so far */
byte owner[DAEMONS];		/* the table: who holds the time */
byte last[DAEMONS];		/* the record at k; 0: k is 0 */
byte state[DAEMONS];
byte mine[DAEMONS];		/* the append in hand */
byte count[DAEMONS];
bit fresh[DAEMONS];		/* the last look at a snapshot that was not ahead is younger than an hour */
bit look[DAEMONS];		/* a look at the end that is not yet judged: as young */
bit verify[DAEMONS];		/* the connection is new */
byte disk_k[DAEMONS], disk_last[DAEMONS];

/* --- the network: one connection each */
byte sent[DAEMONS], sent_n[DAEMONS];
byte stray, stray_n;		/* still on its way when its writer was killed */
byte reply[DAEMONS];

byte hours = HOURS, failovers = FAILOVERS, crashes = CRASHES, restores = RESTORES;

#ifdef NO_MAJORITY_READ
#define SEEN(n)	(log[n] != 0 -> log[n] : pend[n])
#else
#define SEEN(n)	log[n]
#endif

/* log_is_genuine: was k + 1 used before, and deleted? Only asked where the last look is old. */
#ifdef NO_CLUSTER_TIME
#define IN_A_HOLE(i)	false
#else
#define IN_A_HOLE(i)	(!fresh[i] && floor_n > k[i])
#endif

/* log_resume: begin again from the newest snapshot */
inline log_resume(i) {
	k[i] = floor_n;
	owner[i] = floor_owner;
	last[i] = floor_last;
	fresh[i] = 0;
}

/* log_apply: one record, read or acknowledged */
inline log_apply(i, v) {
	assert(hist[k[i] + 1] == v);		/* all machines apply the same records */
	assert(FITS(owner[i], v));		/* two live holds never overlap */
	owner[i] = AFTER(owner[i], v);
	k[i]++;
	last[i] = v;
	disk_k[i] = k[i];
	disk_last[i] = v;
}

/*
 * Record v is no longer what number n stands for. Below the newest snapshot that is not known: the
 * number may have been deleted, and may hold what a stopped writer put there.
 */
#define IS_MISSING(n, v)	((n) > floor_n && log[n] != (v) || (n) != 0 && (n) == floor_n && floor_last != (v))

#ifdef NO_DISK
#define REMEMBERED_N(i)	k[i]
#define REMEMBERED(i)	last[i]
#else
#define REMEMBERED_N(i)	disk_k[i]
#define REMEMBERED(i)	disk_last[i]
#endif

/* log_verify: is the highest record that this machine ever applied still there? */
inline log_verify(i) {
	if
#ifndef NO_VERIFY
	:: IS_MISSING(REMEMBERED_N(i), REMEMBERED(i)) -> state[i] = STOPPED
#endif
	:: else -> skip
	fi;
	verify[i] = 0
}

inline log_reconnected(i) {
	if
	:: verify[i] -> log_verify(i)
	:: else
	fi
}

/* log_send: nobody appends to a log that has forgotten what this machine was told */
inline log_send(i) {
	assert(!IS_MISSING(disk_k[i], disk_last[i]));
	sent[i] = mine[i];
	sent_n[i] = k[i] + 1
}

/* log_lost: another record has our number; decide again on the table as it is now */
inline log_lost(i) {
	sent[i] = 0;
	reply[i] = NONE;
#ifdef NO_DECIDE_AGAIN
	if
	:: k[i] < LAST && state[i] == WAITING -> skip	/* the same document under the next number */
	:: else -> mine[i] = 0; state[i] = IDLE
	fi
#else
	mine[i] = 0;
	state[i] = IDLE
#endif
}

/* log_won: our record stands under k + 1 */
inline log_won(i) {
	if
	:: IN_A_HOLE(i) -> log_resume(i); mine[i] = 0
	:: else ->
		log_apply(i, mine[i]);
		mine[i] = 0
	fi;
	reply[i] = NONE;
	sent[i] = 0;
	state[i] = IDLE
}

/* the end of the append in hand is not known */
#define IS_OPEN(i)	(reply[i] == NONE || (reply[i] == DUP && log[k[i] + 1] == 0))

/* log_barrier: the next number is missing (a linearizable read), and no snapshot is ahead of us */
#ifdef NO_BARRIER
#define BARRIER(i)	true
#else
#ifdef NO_FLOOR_AT_END
#define BARRIER(i)	(!verify[i] && log[k[i] + 1] == 0 && pend[k[i] + 1] == 0)
#else
#define BARRIER(i)	(!verify[i] && log[k[i] + 1] == 0 && pend[k[i] + 1] == 0 && (fresh[i] || floor_n <= k[i]))
#endif
#endif

proctype Daemon(byte i) {
	byte v;

end:	do
	/* log_read_next: what stands under k + 1 may be what a stopped writer put into a hole */
	:: atomic { state[i] == IDLE && k[i] <= LAST && SEEN(k[i] + 1) != 0 -> v = SEEN(k[i] + 1) };
		atomic { if
		:: verify[i] -> log_verify(i)		/* read over the old connection: read again */
		:: !verify[i] && IN_A_HOLE(i) -> log_resume(i)
		:: !verify[i] && !IN_A_HOLE(i) -> log_apply(i, v)
		fi;
		v = 0 }

	/* log_look_at_floor: nothing above k was deleted, and nothing will be for an hour */
	:: atomic { state[i] != STOPPED && !fresh[i] && !verify[i] && floor_n <= k[i] -> fresh[i] = 1 }

	/* log_observe_end: two reads, and anything may happen between them */
	:: atomic { state[i] == IDLE && (!fresh[i] || verify[i]) && SEEN(k[i] + 1) == 0 -> look[i] = 1 };
		atomic { if
		:: verify[i] -> log_verify(i)		/* the same */
#ifndef NO_FLOOR_AT_END
		:: !verify[i] && floor_n > k[i] -> log_resume(i)
		:: !verify[i] && floor_n <= k[i] -> fresh[i] = look[i]
#else
		:: !verify[i] -> fresh[i] = look[i]
#endif
		fi;
		look[i] = 0 }

	/* log_stage and log_send: decided on the table as it is */
	:: atomic { state[i] == IDLE && !verify[i] && count[i] < SEQ && k[i] < LAST ->
		if
		:: owner[i] == 0 -> mine[i] = VALUE(i, count[i], GRANT_1)
		:: owner[i] == 0 -> mine[i] = VALUE(i, count[i], GRANT_2)
		:: owner[i] != 0 -> mine[i] = VALUE(i, count[i], RELEASE)
#ifdef NO_INDEPENDENT
		:: owner[i] == 0 -> mine[i] = VALUE(i, count[i], GRANT_BOTH)
#endif
		fi;
		count[i]++;
		reply[i] = NONE;
		state[i] = WAITING };
		atomic { log_reconnected(i);	/* only over a connection on which k was seen */
		if
		:: state[i] == WAITING -> log_send(i)
		:: else -> mine[i] = 0
		fi }

	/* log_send again: no answer came, or the number was taken by what no majority has */
	:: atomic { state[i] == WAITING && sent[i] == 0 && mine[i] != 0 && IS_OPEN(i) ->
		log_reconnected(i);
		if
		:: state[i] == STOPPED -> mine[i] = 0
		:: state[i] == WAITING -> reply[i] = NONE; log_send(i)
		fi }

	/* log_settle: the end of the append is known */
	:: atomic { state[i] == WAITING && reply[i] == ACK -> log_won(i) }
	:: atomic { state[i] == WAITING && reply[i] == DUP && SEEN(k[i] + 1) != 0 ->
		if
#ifdef NO_NONCE
		:: log_won(i)
#else
		:: SEEN(k[i] + 1) == mine[i] -> log_won(i)
		:: SEEN(k[i] + 1) != mine[i] && IN_A_HOLE(i) -> log_resume(i); mine[i] = 0; state[i] = IDLE
		:: SEEN(k[i] + 1) != mine[i] && !IN_A_HOLE(i) ->
			v = SEEN(k[i] + 1);
			log_apply(i, v);
			v = 0;
			log_lost(i)
#endif
		fi }

	/* A final "no" to user 1, who really holds it or not. The barrier is a linearizable read. */
	:: atomic { state[i] == IDLE && owner[i] != 1 && BARRIER(i) -> assert(owner_at[true_n] != 1) }

	/* log_snapshot */
	:: atomic { state[i] == IDLE && k[i] > floor_n && !verify[i] ->
		floor_n = k[i];
		floor_owner = owner[i];
		floor_last = last[i] }

	/* kill -9 and a new start; a message on its way stays on its way */
	:: atomic { crashes > 0 && state[i] != STOPPED ->
		crashes--;
		if
		:: sent[i] != 0 -> stray = sent[i]; stray_n = sent_n[i]
		:: else
		fi;
		sent[i] = 0;
		sent_n[i] = 0;
		mine[i] = 0;
		reply[i] = NONE;
		look[i] = 0;
		state[i] = IDLE;
		log_resume(i);
		log_verify(i)
		}
	od
}

/* an insert of daemon j arrives at the primary */
inline db_arrive(j) {
	if
	:: log[sent_n[j]] != 0 || pend[sent_n[j]] != 0 ->
		if
		:: mine[j] == sent[j] -> reply[j] = DUP
		:: true -> skip			/* the answer is lost */
		fi
	:: else -> pend[sent_n[j]] = sent[j]
	fi;
	sent[j] = 0
}

/* number n gets its majority */
inline db_commit(n) {
	log[n] = pend[n];
	pend[n] = 0;
	if
	:: n == true_n + 1 ->
		assert(FITS(owner_at[true_n], log[n]));	/* two live holds never overlap */
		hist[n] = log[n];
		owner_at[n] = AFTER(owner_at[true_n], log[n]);
		true_n = n
	:: n <= true_n		/* a number that was used before, and deleted */
	:: n > true_n + 1 -> assert(false)	/* the log has no gaps */
	fi;
	j = (log[n] - 1) / (4 * SEQ);
	if
	:: mine[j] == log[n] && reply[j] == NONE -> reply[j] = ACK
	:: true -> skip				/* the answer is lost */
	fi;
	j = 0
}

proctype Database() {
	byte j;

end:	do
	:: atomic { sent[0] != 0 -> db_arrive(0) }
	:: atomic { stray != 0 ->		/* what a daemon had sent before it was killed */
		if
		:: log[stray_n] == 0 && pend[stray_n] == 0 -> pend[stray_n] = stray
		:: else
		fi;
		stray = 0;
		stray_n = 0 }
#if DAEMONS > 1
	:: atomic { sent[1] != 0 -> db_arrive(1) }
#endif
#if DAEMONS > 2
	:: atomic { sent[2] != 0 -> db_arrive(2) }
#endif

	/* in the order in which the primary took them: it has no two numbers that a rule of ours allows */
	:: atomic { pend[1] != 0 -> db_commit(1) }
#if LAST > 1
	:: atomic { pend[1] == 0 && pend[2] != 0 -> db_commit(2) }
#endif
#if LAST > 2
	:: atomic { pend[1] == 0 && pend[2] == 0 && pend[3] != 0 -> db_commit(3) }
#endif
#if LAST > 3
	:: atomic { pend[1] == 0 && pend[2] == 0 && pend[3] == 0 && pend[4] != 0 -> db_commit(4) }
#endif

	/* the primary is lost with what no majority has; messages may be lost; connections are new */
	:: d_step { failovers > 0 ->
		failovers--;
		j = 0;
		do
		:: j <= LAST -> pend[j] = 0; j++
		:: else -> break
		od;
		j = 0;
		do
		:: j < DAEMONS -> verify[j] = 1; j++
		:: else -> break
		od;
		j = 0 }

	/* an hour goes by on the cluster's clock */
	:: d_step { hours > 0 ->
		hours--;
		floor_old = floor_n;
		j = 0;
		do
		:: j < DAEMONS -> fresh[j] = 0; look[j] = 0; j++
		:: else -> break
		od;
		j = 0 }

	/* log_delete: some daemon deletes what a snapshot has had for an hour */
#ifdef NO_HOUR
#define OLD(n)	1
#else
#define OLD(n)	((n) <= floor_old)
#endif
	:: d_step { floor_n >= 1 && log[1] != 0 && OLD(1) -> log[1] = 0 }
#if LAST > 1
	:: d_step { floor_n >= 2 && log[1] == 0 && log[2] != 0 && OLD(2) -> log[2] = 0 }
#endif
#if LAST > 2
	:: d_step { floor_n >= 3 && log[2] == 0 && log[3] != 0 && OLD(3) -> log[3] = 0 }
#endif

	/* an older database is put back: the last record is gone, and so are all connections */
	:: d_step { restores > 0 && true_n > floor_n && log[true_n] != 0 ->
		restores--;
		stray = 0;
		stray_n = 0;
		log[true_n] = 0;
		hist[true_n] = 0;
		owner_at[true_n] = 0;
		true_n--;
		j = 0;
		do
		:: j <= LAST -> pend[j] = 0; j++
		:: else -> break
		od;
		j = 0;
		do
		:: j < DAEMONS -> verify[j] = 1; sent[j] = 0; reply[j] = NONE; j++
		:: else -> break
		od;
		j = 0 }
	od
}

init {
	atomic {
		run Database();
		run Daemon(0);
#if DAEMONS > 1
		run Daemon(1);
#endif
#if DAEMONS > 2
		run Daemon(2);
#endif
	}
}
