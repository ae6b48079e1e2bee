/*
 * Messages to the service manager, in the protocol of sd_notify(3): a datagram to the socket that
 * $NOTIFY_SOCKET names. Without that variable nothing is sent.
 */
#pragma once

#include <stdint.h>

/* state: lines such as "READY=1". Never blocks and never fails: the service goes on either way. */
void notify(const char *state);
/* The longest time between two "WATCHDOG=1", in ms: a third of $WATCHDOG_USEC, so that one may come
 * late. 0: there is no watchdog. */
int64_t notify_watchdog_ms(void);
