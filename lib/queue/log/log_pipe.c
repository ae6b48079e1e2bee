#include "config.h"

#include "queue/log/log_pipe.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "queue/log/log_frame.h"

static bool
read_all(int fd, char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = read(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

char *
log_pipe_read(int fd, size_t *size)
{
	char header[LOG_FRAME_HEADER];
	char *frame = NULL;

	if (!read_all(fd, header, sizeof(header)))
		return NULL;
	*size = log_frame_size(header, sizeof(header));
	if (*size >= sizeof(header) && *size <= 4 + LOG_FRAME_MAX)
		frame = malloc(*size);
	if (frame == NULL)
		return NULL;
	for (size_t i = 0; i < sizeof(header); i++)
		frame[i] = header[i];
	if (read_all(fd, frame + sizeof(header), *size - sizeof(header)))
		return frame;
	free(frame);
	return NULL;
}

bool
log_pipe_write(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}
