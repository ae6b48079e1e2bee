/*
 * Payments that an older service wrote: what is wrong with them, and mending it. A document of
 * ours, or of an order that has a ledger, is never touched.
 */
#pragma once

#include "base/error.h"
#include "store/store.h"

enum import_dates {
	IMPORT_RIGHT,
	IMPORT_LATE, /* by whole half hours against the time of _id: the host's time zone did it */
	IMPORT_ODD   /* otherwise, or without a date: nobody can say; left alone */
};
enum import_twice {
	IMPORT_ONCE,
	IMPORT_FIRST,  /* of several that are equal: it stays */
	IMPORT_COPY,   /* of several that are equal: it goes into STORE_SET_ASIDE */
	IMPORT_DIFFERS /* its tid stands in documents that are not equal: left alone */
};

struct import_item {
	struct store_foreign of;
	enum import_dates dates;
	int64_t late_ms;
	enum import_twice twice;
	bool has_ledger; /* left alone */
};

struct import {
	struct import_item *items; /* by tid, then by time of _id */
	size_t n, ours;
};

/* import_clear in every case. */
bool import_look(struct store *s, struct import *out, struct error *err);
void import_clear(struct import *im);
bool import_will_shift(const struct import_item *it);
bool import_will_set_aside(const struct import_item *it);
/* Writes down why, then mends. After an error the same again does the rest. */
bool import_mend(struct store *s, const struct import *im, const char *reason, struct error *err);
