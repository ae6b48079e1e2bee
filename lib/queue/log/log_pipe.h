/* Frames over a blocking socket. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* One frame, free by the caller. NULL: the other end is gone, or speaks another language. */
char *log_pipe_read(int fd, size_t *size);
bool log_pipe_write(int fd, const char *data, size_t len);
