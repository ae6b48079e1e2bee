/* A disk for tests of the journal. Its files are real, but what is not synced may be lost, and any
 * call can be made to fail. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "queue/disk/journal.h"

struct disk {
	int calls;   /* of any kind so far */
	int dies_at; /* from this call on all fail with EIO; 0: never */
	int syncs;
	bool sync_fails, write_fails, unlink_fails;
	bool is_full; /* no file can be made */
	bool short_writes;
};
extern struct disk disk;
extern const struct disk_io disk_io;

void disk_reset(void); /* a disk without faults; forgets what was not synced */

/* What a power failure takes of the calls that were not synced. */
enum disk_loss {
	LOSE_NOTHING, /* only the process was killed */
	LOSE_ALL,
	LOSE_SOME, /* any sectors of the files, any changes of the directory; by `seed` */
};
void disk_lose(const char *dir, enum disk_loss loss, uint32_t seed);
