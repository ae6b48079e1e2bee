#include "config.h"

#include "base/random.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/hex.h"

/* A call is never shorter than asked for up to 256 bytes (getrandom(2)), nor interrupted. */
bool
random_fill(void *out, size_t n, struct error *err)
{
	for (size_t done = 0, part; done < n; done += part) {
		part = n - done < 256 ? n - done : 256;
		if (getrandom((char *)out + done, part, 0) != (ssize_t)part)
			return error_sys(err, ERR_INTERNAL, "no random numbers");
	}
	return true;
}

bool
random_hex(char *out, size_t n, struct error *err)
{
	unsigned char bytes[32];

	assert(n <= sizeof(bytes));
	if (!random_fill(bytes, n, err))
		return false;
	hex_format(bytes, n, out);
	explicit_bzero(bytes, sizeof(bytes)); /* it may be a token */
	return true;
}
