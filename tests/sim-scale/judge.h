/* Sees what visitors are told, and nothing else: may two of them have one time of a room at once?
 * A hold counts from its answer until the earliest time at which it can end. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct judge;
struct judge *judge_new(void);
void judge_free(struct judge **j);
/* Somebody was given this hour of a room. Returns the number of the grant. */
size_t judge_grant(struct judge *j, uint64_t room, int hour, int64_t now_us, int64_t until_us);
/* It ends later, or has ended. */
void judge_move_end(struct judge *j, size_t grant, int64_t until_us);
int64_t judge_overlaps(const struct judge *j);
