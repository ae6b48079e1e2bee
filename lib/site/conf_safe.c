#include "config.h"

#include "site/conf_safe.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "base/webhook_key.h"

#define NEW_TOKEN "roompayctl token new makes one with its hash"

enum { REPLAY_KEY_MIN = 32, REPLAY_KEY_DISTINCT_MIN = 8 };

/* SHA-256 of words that people paste or guess. Whoever guesses the word has the role. */
/* clang-format off */
static const struct {
	const char *word, *sha256;
} guessed[] = {
	{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "test", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" },
	{ "token", "3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0" },
	{ "secret", "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b" },
	{ "password", "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8" },
	{ "changeme", "057ba03d6c44104863dc7361fe4578965d1887360f90a0895882e58a6248fc86" },
	{ "admin", "8c6976e5b5410415bde908bd4dee15dfb167a9c873fc4bb8a81f6f2ab448a918" },
	{ "roompay", "4ad2a7855314ded9b6f2e723cfe274d240efc35a406777c41efe2a3d6408231c" },
	{ "gateway", "4ea5ee68fea05586106890ded5733820bb77d919cda27bc4b8139b7cd33b8889" },
	{ "reservation", "9efa077f044e7a779c655f8d8e8760cacd16ce2347b6aa10e45b18fb5325fdd6" },
	{ "operator", "06e55b633481f7bb072957eabcf110c972e86691c3cfedabe088024bffe42f23" },
	{ "refund", "1d630127108f1feaf1f7beee59b66dd679daf712a441f3d0a39ee9ea0f2b7a95" },
	{ "kakaopay", "0c4c7aab82ab323cee24e0259a2ecbc2180375a3168be8df04d8a72fd508389d" },
	{ "1234", "03ac674216f3e15c761ee1a5e255f067953623c8b388b4459e13f978d7c846f4" },
	{ "12345678", "ef797c8118f02dfb649607dd5d3f8c7623048c9c063d532cc95c5ed7a898a64f" },
	{ "dev", "ef260e9aa3c673af240d17a2660480361a8e081d1ffeca2a5ed0e3219fc18567" },
	{ "development", "875b9380866e9d56e7110b0ee310962c16d9d4ae103f829d62bdffd2cbe7c61d" },
	{ "example", "50d858e0985ecc7f60418aaf0cc5ab587f42c2570a884095a9e8ccacd0f6545c" },
};
/* clang-format on */

static void
say(const struct conf_complaint *to, const char *title, const char *key, const char *why)
{
	to->say(to->ctx, title, key, why);
}

static void
hash_text(const uint8_t hash[32], char text[65])
{
	for (size_t i = 0; i < 32; i++)
		snprintf(text + 2 * i, 3, "%02x", hash[i]);
}

/* True where an earlier caller, or this one, has the same token; who: its name. */
static bool
is_used_before(const struct conf *c, size_t caller, size_t token, char who[65])
{
	const uint8_t *hash = c->callers[caller].token_sha256[token];

	for (size_t i = 0; i <= caller; i++)
		for (size_t j = 0; j < (i == caller ? token : c->callers[i].n_tokens); j++)
			if (memcmp(c->callers[i].token_sha256[j], hash, 32) == 0) {
				text_copy(who, 65, c->callers[i].name);
				return true;
			}
	return false;
}

static void
check_token(const struct conf *c, size_t caller, size_t token, const struct conf_complaint *to)
{
	const uint8_t *hash = c->callers[caller].token_sha256[token];
	char title[80], text[65], who[65], why[200];

	snprintf(title, sizeof(title), "caller %s", c->callers[caller].name);
	hash_text(hash, text);
	if (memcmp(hash, hash + 1, 31) == 0) /* one byte, 32 times */
		say(to, title, "token_sha256", "is a placeholder: " NEW_TOKEN);
	else if (is_used_before(c, caller, token, who)) {
		snprintf(why, sizeof(why),
		    "has the token of caller %s: give each its own, " NEW_TOKEN, who);
		say(to, title, "token_sha256", why);
	}
	for (size_t i = 0; i < sizeof(guessed) / sizeof(guessed[0]); i++)
		if (strcmp(guessed[i].sha256, text) == 0) {
			snprintf(why, sizeof(why),
			    "is the hash of \"%s\", which anybody can guess: " NEW_TOKEN,
			    guessed[i].word);
			say(to, title, "token_sha256", why);
		}
}

/* Names that RFC 2606 keeps for documents: whoever left one in has not finished the file. */
static bool
is_placeholder_host(const char *host, size_t len)
{
	static const char *const reserved[] = { "example.com", "example.net", "example.org" };

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		size_t n = strlen(reserved[i]);

		if (len >= n && strncasecmp(host + len - n, reserved[i], n) == 0 &&
		    (len == n || host[len - n - 1] == '.'))
			return true;
	}
	return false;
}

static void
check_peer(const struct conf_peer *p, const char *title, const struct conf_complaint *to)
{
	const char *host = strstr(p->url, "://");

	if (host == NULL)
		return;
	host += 3;
	if (is_placeholder_host(host, strcspn(host, ":/?")))
		say(to, title, "url",
		    "is the sample's: name your service, or leave the section out");
}

static bool
only_meets_simulators(const struct conf *c)
{
	for (size_t i = 0; i < c->n_merchants; i++)
		if (!conf_is_loopback(c->merchants[i].base_url))
			return false;
	return true;
}

static void
check_redirects(const struct conf *c, const struct conf_complaint *to)
{
	if (c->n_url_hosts == 0 && !only_meets_simulators(c))
		say(to, "site", "redirect_hosts",
		    "is missing: KakaoPay would send the user, with the pg_token, to any "
		    "host that a caller names");
	for (size_t i = 0; i < c->n_url_hosts; i++)
		if (is_placeholder_host(c->url_hosts[i], strlen(c->url_hosts[i])))
			say(to, "site", "redirect_hosts",
			    "is the sample's: name the hosts of your site");
}

void
conf_safe_check(const struct conf *c, const struct conf_complaint *to)
{
	check_redirects(c, to);
	check_peer(&c->reservation, "deliver reservation", to);
	check_peer(&c->gateway, "deliver gateway", to);
	for (size_t i = 0; i < c->n_callers; i++)
		for (size_t j = 0; j < c->callers[i].n_tokens; j++)
			check_token(c, i, j, to);
}

static size_t
distinct_characters(const char *text)
{
	bool seen[256] = { false };
	size_t n = 0;

	for (; *text != '\0'; text++) {
		n += !seen[(unsigned char)*text];
		seen[(unsigned char)*text] = true;
	}
	return n;
}

/* A key that cannot sign is found here, not at the first message. */
static void
check_webhook_key(const struct secret *s, const char *title, const char *key,
    const struct conf_complaint *to)
{
	unsigned char raw[WEBHOOK_KEY_MAX];
	char why[400];
	struct error err;
	size_t len;

	error_clear(&err);
	if (secret_is_set(s) && !webhook_key_read(s, raw, &len, &err)) {
		snprintf(why, sizeof(why),
		    "holds no key: %.200s: echo whsec_$(head -c 32 /dev/urandom | base64)",
		    err.msg);
		say(to, title, key, why);
	}
	secret_wipe(raw, sizeof(raw));
}

/* A key that KakaoPay's header cannot carry is found here, not at the first payment. */
static void
check_merchant_key(const struct secret *s, const char *cid, const char *key,
    const struct conf_complaint *to)
{
	char title[40];

	snprintf(title, sizeof(title), "merchant %s", cid);
	if (secret_is_set(s) && !secret_is_token(s))
		say(to, title, key,
		    "holds no key of KakaoPay's: it has letters, digits and ._~+/=- alone");
}

void
conf_safe_check_secrets(const struct conf *c, const struct conf_complaint *to)
{
	const struct secret *key = &c->replay_key;

	if (secret_is_set(key) &&
	    (key->len < REPLAY_KEY_MIN || distinct_characters(key->text) < REPLAY_KEY_DISTINCT_MIN))
		say(to, "site", "replay_key_file",
		    "holds a key that can be guessed: it takes at least 32 random characters, "
		    "head -c 32 /dev/urandom | base64");
	for (size_t i = 0; i < c->n_merchants; i++) {
		const struct conf_merchant *m = &c->merchants[i];

		check_merchant_key(&m->key, m->cid, "key_file", to);
		check_merchant_key(&m->cid_secret, m->cid, "cid_secret_file", to);
	}
	check_webhook_key(&c->reservation.key, "deliver reservation", "key_file", to);
	check_webhook_key(&c->reservation.old_key, "deliver reservation", "old_key_file", to);
	check_webhook_key(&c->gateway.key, "deliver gateway", "key_file", to);
	check_webhook_key(&c->gateway.old_key, "deliver gateway", "old_key_file", to);
}
