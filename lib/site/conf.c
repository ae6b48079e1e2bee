#include "config.h"

#include "site/conf.h"

#include <stdio.h>
#include <string.h>

#include "base/loopback.h"

bool
conf_is_loopback(const char *url)
{
	static const char scheme[] = "http://";
	const char *begin = url + sizeof(scheme) - 1, *end;

	if (strncmp(url, scheme, sizeof(scheme) - 1) != 0 || begin[strcspn(begin, "@\\")] != '\0')
		return false;
	end = begin +
	    (begin[0] == '[' ? strcspn(begin, "]/") + (strchr(begin, ']') != NULL)
			     : strcspn(begin, ":/?#"));
	return strchr(":/?#", *end) != NULL && loopback_is_host(begin, (size_t)(end - begin));
}

void
conf_clear(struct conf *c)
{
	secret_clear(&c->replay_key);
	secret_clear(&c->store_uri_secret);
	secret_clear(&c->reservation.key);
	secret_clear(&c->gateway.key);
	secret_clear(&c->reservation.old_key);
	secret_clear(&c->gateway.old_key);
	for (size_t i = 0; i < c->n_merchants; i++) {
		secret_clear(&c->merchants[i].key);
		secret_clear(&c->merchants[i].cid_secret);
	}
}

const struct conf_merchant *
conf_merchant(const struct conf *c, const char *cid)
{
	for (size_t i = 0; i < c->n_merchants; i++)
		if (strcmp(c->merchants[i].cid, cid) == 0)
			return &c->merchants[i];
	return NULL;
}

int64_t
conf_quiet_ms(const struct conf *c)
{
	return c->deadline_ms + DEADLINE_GRACE_MS + c->guard_ms;
}

const char *
conf_store_uri(const struct conf *c)
{
	return secret_is_set(&c->store_uri_secret) ? c->store_uri_secret.text : c->store_uri;
}
