/* Has a request of the web server arrived as a whole? Then reading it waits for nothing, and needs
 * no timer. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* data: what the socket holds so far. True only for one ordinary request and nothing behind it:
 * BEGIN_REQUEST of a responder, PARAMS and STDIN, each with its end. False: not yet, or something
 * unusual. src: FastCGI Specification 1.0, sections 3.3, 5.1 to 5.3. */
bool arrival_is_whole(const unsigned char *data, size_t len);
