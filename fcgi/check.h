/* What the members of requests may hold: checks of one text, for the rules of json/field.h. ctx is
 * never looked at. */
#pragma once

#include <stdbool.h>

#include "json/field.h"
#include "site/limit.h"

enum field_code check_alnum(const char *text, const void *ctx); /* cid, tid */
/* an id that a caller makes: [A-Za-z0-9._-] */
enum field_code check_name(const char *text, const void *ctx);
/* printable ASCII without blanks */
enum field_code check_graphic(const char *text, const void *ctx);
enum field_code check_room(const char *text, const void *ctx); /* as check_read_room */

/* An ObjectId, 24 hex digits: its spelling in lower case. */
bool check_read_room(const char *text, char room_id[ROOM_CAP]);
