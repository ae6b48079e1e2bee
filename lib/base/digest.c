#include "config.h"

#include "base/digest.h"

#include <openssl/evp.h>
#include <pthread.h>

static EVP_MD *sha256;

static void
fetch(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

/* libcrypto looks an algorithm up in a table of names: that costs more than a hash, and is done
 * once. */
bool
digest_sha256(const void *data, size_t len, unsigned char out[DIGEST_LEN])
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	return pthread_once(&once, fetch) == 0 && sha256 != NULL &&
	    EVP_Digest(data, len, out, NULL, sha256, NULL) == 1;
}
