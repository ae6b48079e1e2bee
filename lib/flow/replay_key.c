#include "config.h"

#include "flow/replay_key.h"

#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/hex.h"

bool
flow_replay_key(const struct secret *secret, const char *user_id, const char *room_id,
    const char *pg_token, char out[KEY_CAP], struct error *err)
{
	const char *const parts[] = { user_id, room_id, pg_token };
	unsigned char mac[DIGEST_LEN];
	struct buf b = BUF_INIT;
	bool ok;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		buf_add_int(&b, (int64_t)strlen(parts[i]));
		buf_add_char(&b, ':');
		buf_add_str(&b, parts[i]);
		buf_add_char(&b, ',');
	}
	ok = !b.bad && secret_is_set(secret) &&
	    digest_hmac_sha256(secret->text, secret->len, b.data, b.len, mac);
	if (b.data != NULL)
		secret_wipe(b.data, b.len);
	buf_clear(&b);
	if (ok)
		hex_format(mac, DIGEST_LEN, out);
	return ok || error_set(err, ERR_INTERNAL, "no replay key");
}
