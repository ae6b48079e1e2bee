/* The only module that asks the system for the time. Everything else takes it as an argument. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Both clocks in milliseconds. boot counts through suspend and never jumps: for deadlines. wall is
 * UTC since 1970: for records. */
struct now {
	int64_t boot_ms;
	int64_t wall_ms;
};

struct now clock_now(void);
int64_t clock_boot_ms(void);
int64_t clock_boot_us(void); /* microseconds: how long something took */
int64_t clock_wall_ms(void);

/* The kernel's boot id, 36 characters that change with each boot; "" where the system has none. */
const char *clock_boot_id(void);

/* RFC 3339 in UTC with milliseconds, as Date.prototype.toISOString writes it:
 * "2026-03-05T01:20:30.000Z". Years 0 to 9999. */
enum { CLOCK_ISO_CAP = 25 };
void clock_format_iso(int64_t wall_ms, char out[CLOCK_ISO_CAP]);

/* A time that a person or a caller wrote: RFC 3339 with Z or an offset, or "YYYY-MM-DD", which is
 * midnight in Korea. In a query string + means a space, so "...T00:00:00 09:00" is accepted, too.
 */
bool clock_parse_when(const char *text, int64_t *wall_ms);

/*
 * An HTTP date (RFC 9110, 5.6.7) in any of its three forms, letter by letter as the RFC spells
 * them. now_wall_ms: which century the two digits of RFC 850 mean.
 */
bool clock_parse_http(const char *text, int64_t now_wall_ms, int64_t *wall_ms);

/* KakaoPay's "YYYY-MM-DDTHH:MM:SS", Korean time without offset, to UTC milliseconds.
 * src: KakaoPay's samples (tests/data). */
bool clock_parse_kst(const char *text, int64_t *wall_ms);
/* The other way. between: 'T', or a space for people. */
enum { CLOCK_KST_CAP = 20 };
void clock_format_kst(int64_t wall_ms, char between, char out[CLOCK_KST_CAP]);
