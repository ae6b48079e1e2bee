/* What a service manager is told of us, by sd_notify(3)'s protocol: a datagram to the socket that $NOTIFY_SOCKET names. Without one, nothing is done. */
#pragma once

#include <stdint.h>

/* state: lines such as "READY=1". Never blocks and never fails: nobody waits for us who cannot be told. */
void notify(const char *state);
/* How often at least "WATCHDOG=1" is to be told, in ms: a third of $WATCHDOG_USEC, so that one may come late. 0: nobody watches. */
int64_t notify_watchdog_ms(void);
