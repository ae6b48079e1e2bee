/* A queue over two daemons on one log: each request goes to the other one, once both have read the
 * same records. */
#pragma once

#include "queue/client/queue.h"

struct queue *queue_open_pair(const char *socket, const char *other_socket);
