#include "config.h"

#include "flow/replay_key.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base/buf.h"
#include "base/hex.h"

bool
flow_replay_key(const struct secret *secret, const char *user_id, const char *room_id,
    const char *pg_token, char out[KEY_CAP], struct error *err)
{
	const char *const parts[] = { user_id, room_id, pg_token };
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	struct buf b = BUF_INIT;
	bool ok;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		buf_printf(&b, "%zu:%s,", strlen(parts[i]), parts[i]);
	ok = !b.bad && secret_is_set(secret) &&
	    HMAC(EVP_sha256(), secret->text, (int)secret->len, (const unsigned char *)b.data, b.len,
		mac, &len) != NULL;
	if (b.data != NULL)
		secret_wipe(b.data, b.len);
	buf_clear(&b);
	if (ok)
		hex_format(mac, len, out);
	return ok || error_set(err, ERR_INTERNAL, "no replay key");
}
