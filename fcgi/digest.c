#include "config.h"

#include "fcgi/digest.h"

#include <openssl/evp.h>

bool
digest_sha256(const void *data, size_t len, unsigned char out[DIGEST_LEN])
{
	static EVP_MD *sha256;
	static EVP_MD_CTX *ctx;

	if (sha256 == NULL)
		sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (ctx == NULL)
		ctx = EVP_MD_CTX_new();
	return sha256 != NULL && ctx != NULL && EVP_DigestInit_ex2(ctx, sha256, NULL) == 1 &&
	    EVP_DigestUpdate(ctx, data, len) == 1 && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
}
