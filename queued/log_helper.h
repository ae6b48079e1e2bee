/* The program that speaks with the database for the daemon: it is started here, before the daemon
 * locks itself in, and spoken with over two sockets (queue/log/log_frame.h). */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"
#include "queue/log/log_frame.h"

struct log_helper {
	pid_t pid;	 /* 0: it does not run */
	int fd, snap_fd; /* -1: none */
	struct buf in, out;
	size_t taken; /* bytes of in */
};

/* conf_path: the configuration that it reads for itself. */
bool log_helper_start(struct log_helper *h, const char *conf_path, struct error *err)
    __attribute__((warn_unused_result));
void log_helper_stop(struct log_helper *h);

/* Never waits: what the socket does not take follows with the next call. */
void log_helper_send(struct log_helper *h, const struct log_frame *f);
void log_helper_flush(struct log_helper *h);
enum log_helper_news { HELPER_FRAME, HELPER_NOTHING, HELPER_GONE };
/* The next frame. It borrows from *h until the next call. Never waits. */
enum log_helper_news log_helper_next(struct log_helper *h, struct log_frame *f);
/* Waits for one, at most so long. */
enum log_helper_news log_helper_wait(struct log_helper *h, struct log_frame *f, int timeout_ms);
