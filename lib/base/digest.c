#include "config.h"

#include "base/digest.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <pthread.h>

static EVP_MD *sha256;
static EVP_MAC_CTX *hmac; /* without a key: copied for each use */

static void
fetch(void)
{
	char name[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);

	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	hmac = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
	if (hmac != NULL && EVP_MAC_CTX_set_params(hmac, params) != 1) {
		EVP_MAC_CTX_free(hmac);
		hmac = NULL;
	}
	EVP_MAC_free(mac);
}

/* libcrypto looks an algorithm up in a table of names: that costs more than a hash, and is done
 * once. */
static bool
have_algorithms(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	return pthread_once(&once, fetch) == 0 && sha256 != NULL && hmac != NULL;
}

bool
digest_sha256(const void *data, size_t len, unsigned char out[DIGEST_LEN])
{
	return have_algorithms() && EVP_Digest(data, len, out, NULL, sha256, NULL) == 1;
}

bool
digest_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
    unsigned char out[DIGEST_LEN])
{
	EVP_MAC_CTX *c = have_algorithms() ? EVP_MAC_CTX_dup(hmac) : NULL;
	size_t out_len;
	bool ok;

	ok = c != NULL && EVP_MAC_init(c, key, key_len, NULL) == 1 &&
	    EVP_MAC_update(c, data, len) == 1 && EVP_MAC_final(c, out, &out_len, DIGEST_LEN) == 1;
	EVP_MAC_CTX_free(c);
	return ok;
}
