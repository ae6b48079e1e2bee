#include "config.h"

#include "store/mongo_uri.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Nothing but our own end of a command tells that a connection is dead; libmongoc would ask before
 * each use after 5 s, and wait.
 */
enum { SOCKET_CHECK_MS = 3600 * 1000 };

/*
 * libmongoc puts counters into /dev/shm/mongoc-PID: 1.23 when it is loaded, before main can say
 * that nobody wants them ($MONGOC_DISABLE_SHM), newer ones in mongoc_init. kill -9 would leave the
 * file there. Its name goes at once; the memory stays as long as the process.
 */
static void __attribute__((constructor)) forget_counters(void)
{
	char name[32];

	snprintf(name, sizeof(name), "/mongoc-%d", (int)getpid());
	shm_unlink(name);
}

/*
 * While a URI is parsed: libmongoc only warns of what it does not know. The text is dropped, it may
 * quote the URI.
 */
static void
note_warning(mongoc_log_level_t level, const char *domain, const char *message, void *warned)
{
	(void)domain;
	(void)message;
	if (level <= MONGOC_LOG_LEVEL_WARNING)
		*(bool *)warned = true;
}

static bool
tls_is_checked(const mongoc_uri_t *uri)
{
	static const char *const holes[] = {
		MONGOC_URI_TLSINSECURE,
		MONGOC_URI_TLSALLOWINVALIDCERTIFICATES,
		MONGOC_URI_TLSALLOWINVALIDHOSTNAMES,
		MONGOC_URI_SSLALLOWINVALIDCERTIFICATES,
		MONGOC_URI_SSLALLOWINVALIDHOSTNAMES,
	};

	for (size_t i = 0; i < sizeof(holes) / sizeof(holes[0]); i++)
		if (mongoc_uri_get_option_as_bool(uri, holes[i], false))
			return false;
	return true;
}

/* Our own loops repeat what failed; a silent second try of the driver would only double the times.
 */
bool
mongo_uri_set_times(mongoc_uri_t *uri, int32_t select_ms, int32_t connect_ms, int32_t socket_ms)
{
	return mongoc_uri_set_option_as_bool(uri, MONGOC_URI_SERVERSELECTIONTRYONCE, true) &&
	    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, select_ms) &&
	    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_CONNECTTIMEOUTMS, connect_ms) &&
	    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SOCKETTIMEOUTMS, socket_ms) &&
	    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SOCKETCHECKINTERVALMS,
		SOCKET_CHECK_MS) &&
	    mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYWRITES, false) &&
	    mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYREADS, false);
}

mongoc_uri_t *
mongo_uri_parse(const char *text, struct error *err)
{
	bool warned = false;
	mongoc_uri_t *uri;

	mongoc_init();
	forget_counters();
	mongoc_log_set_handler(note_warning, &warned);
	uri = mongoc_uri_new_with_error(text, NULL);
	mongoc_log_set_handler(NULL, NULL); /* from now on its errors come back to us, and only so
					     */
	if (uri == NULL)
		error_set(err, ERR_INPUT, "the store's uri is not a MongoDB URI");
	else if (warned)
		error_set(err, ERR_INPUT,
		    "the store's uri has an option that is not known or has a wrong value");
	else if (!tls_is_checked(uri))
		error_set(err, ERR_INPUT,
		    "the store's uri asks for TLS without checks (tlsInsecure, tlsAllowInvalid...)");
	else if (!mongoc_uri_set_appname(uri, "roompay"))
		error_set(err, ERR_INTERNAL, "libmongoc refuses an option");
	else
		return uri;
	mongoc_uri_destroy(uri);
	return NULL;
}
