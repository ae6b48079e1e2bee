#include "config.h"

#include "fcgi/caller.h"

#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>

#include "base/digest.h"

const struct conf_caller *
caller_find(const struct conf *conf, const char *authorization)
{
	const struct conf_caller *found = NULL;
	unsigned char hash[DIGEST_LEN];
	size_t len;

	if (authorization == NULL || strncasecmp(authorization, "Bearer ", 7) != 0)
		return NULL;
	authorization += 7;
	authorization += strspn(authorization, " ");
	len = strcspn(authorization, " ");
	if (len == 0 || authorization[len] != '\0' || !digest_sha256(authorization, len, hash))
		return NULL;
	for (size_t i = 0; i < conf->n_callers; i++)
		for (size_t t = 0; t < conf->callers[i].n_tokens; t++)
			if (CRYPTO_memcmp(hash, conf->callers[i].token_sha256[t], sizeof(hash)) ==
			    0)
				found = &conf->callers[i];
	return found;
}

bool
caller_has_cid(const struct conf_caller *c, const char *cid)
{
	for (size_t i = 0; i < c->n_cids; i++)
		if (strcmp(c->cids[i], cid) == 0)
			return true;
	return false;
}

size_t
caller_cids(const struct conf_caller *c, const char *cids[CONF_CIDS_MAX])
{
	for (size_t i = 0; i < c->n_cids; i++)
		cids[i] = c->cids[i];
	return c->n_cids;
}
