/* A journal on a disk that fails on command (disk.h), for its tests. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "queue/disk/journal.h"
#include "tests/unit/disk.h"

enum { SEGMENT = 4096, MANY = 2000 };

/* Every test has a directory of its own, and its replayed records as one text: "a|b|c|". */
struct fixture {
	char dir[64];
	struct journal *j;
	struct journal_report report;
	struct buf seen;
	struct journal_options options;
	struct error err;
};

#define FIRST "segment-0000000000000001"
#define SECOND "segment-0000000000000002"

/* A test with a new directory; nothing is opened yet. */
#define IN_DIR(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
int setup(void **state);
int teardown(void **state);

/* Closes the journal if it is open, and opens it: f->seen, f->report, or f->err. */
bool reopen(struct fixture *f);
/* The replay function: appends a record to f->seen. */
bool see(void *ctx, const void *record, size_t len, struct error *err);
void add(struct fixture *f, const char *text);
void add_synced(struct fixture *f, const char *text);

/* ---- the files */

void each_file(struct fixture *f, void (*fn)(struct fixture *f, const char *name, void *ctx),
    void *ctx);
void remove_file(struct fixture *f, const char *name, void *ctx); /* for each_file */
void path_of(struct fixture *f, const char *name, char out[200]);
bool is_there(struct fixture *f, const char *name);
void read_bytes(struct fixture *f, const char *name, size_t at, void *bytes, size_t len);
/* Both change a file as a bad disk would: some bytes, or one bit. */
void scribble(struct fixture *f, const char *name, size_t at, const void *bytes, size_t len);
void flip(struct fixture *f, const char *name, size_t at);
