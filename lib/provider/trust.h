/* The certificates that a peer is checked by. */
#pragma once

#include <curl/curl.h>

/* For an https URL. Lets a handle keep the system's certificates from one TLS connection to the
 * next. Where a distribution names both a bundle and a directory of certificates (Debian does),
 * libcurl keeps none, and reads the whole bundle for each connection: 21 ms of CPU time instead of
 * 0.7. So the directory goes unused where the bundle can be read; both hold the same. The bundle is
 * read again after an hour. With libcurl before 7.87 nothing changes. src: libcurl 7.88,
 * lib/vtls/openssl.c: Curl_ssl_setup_x509_store. */
CURLcode trust_keep(CURL *c, const char *url);
