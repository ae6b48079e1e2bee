#include "config.h"

#include "site/conf_keys.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/hex.h"
#include "base/text.h"
#include "site/conf.h"

static bool
complain(char why[CONF_WHY_CAP], const char *text)
{
	text_copy(why, CONF_WHY_CAP, text);
	return false;
}

static bool
set_text(void *dst, const struct conf_key *k, const char *value, char why[CONF_WHY_CAP])
{
	if (strlen(value) >= k->cap) {
		snprintf(why, CONF_WHY_CAP, "is longer than %zu bytes", k->cap - 1);
		return false;
	}
	memset(dst, 0, k->cap);
	memcpy(dst, value, strlen(value));
	return true;
}

static bool
set_path(void *dst, const struct conf_key *k, const char *value, char why[CONF_WHY_CAP])
{
	if (value[0] != '/')
		return complain(why, "must be an absolute path");
	return set_text(dst, k, value, why);
}

/* The path of a file that holds a secret, or "credential:NAME" for one of systemd's. */
static bool
set_secret_path(void *dst, const struct conf_key *k, const char *value, char why[CONF_WHY_CAP])
{
	if (strncmp(value, SECRET_CREDENTIAL, sizeof(SECRET_CREDENTIAL) - 1) != 0)
		return set_path(dst, k, value, why);
	value += sizeof(SECRET_CREDENTIAL) - 1;
	if (value[0] == '\0' || strchr(value, '/') != NULL)
		return complain(why, "must name a credential behind credential:");
	return set_text(dst, k, value - (sizeof(SECRET_CREDENTIAL) - 1), why);
}

static bool
set_prefix(void *dst, const struct conf_key *k, const char *value, char why[CONF_WHY_CAP])
{
	size_t len = strlen(value);

	if (len > 0 && (value[0] != '/' || value[len - 1] == '/'))
		return complain(why, "must be empty, or begin with / and not end with it");
	return set_text(dst, k, value, why);
}

static bool
set_url(void *dst, const struct conf_key *k, const char *value, char why[CONF_WHY_CAP])
{
	size_t len = strlen(value);

	if (strncmp(value, "https://", 8) != 0 && !conf_is_loopback(value))
		return complain(why, "must be https, or http to a loopback address");
	if (strchr(value, '@') != NULL || strchr(value, '#') != NULL ||
	    strpbrk(value, " \t\\") != NULL)
		return complain(why, "must have no user, fragment, space or backslash");
	if (!set_text(dst, k, value, why))
		return false;
	if (((char *)dst)[len - 1] == '/' && k->words == NULL)
		((char *)dst)[len - 1] = '\0';
	return true;
}

static bool
set_int(void *dst, const struct conf_key *k, const char *value, char why[CONF_WHY_CAP])
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(value, &end, 10);
	if (end == value || *end != '\0' || errno != 0 || n < k->min || n > k->max) {
		snprintf(why, CONF_WHY_CAP, "must be a whole number from %lld to %lld",
		    (long long)k->min, (long long)k->max);
		return false;
	}
	*(int64_t *)dst = n * k->scale;
	return true;
}

static bool
set_bool(void *dst, const struct conf_key *k, const char *value, char why[CONF_WHY_CAP])
{
	(void)k;
	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return complain(why, "must be yes or no");
	*(bool *)dst = value[0] == 'y';
	return true;
}

static bool
word_index(const struct conf_key *k, const char *value, int *index, char why[CONF_WHY_CAP])
{
	size_t len;

	for (*index = 0; k->words[*index] != NULL; (*index)++)
		if (strcmp(k->words[*index], value) == 0)
			return true;
	len = (size_t)snprintf(why, CONF_WHY_CAP, "must be one of");
	for (int i = 0; k->words[i] != NULL && len < CONF_WHY_CAP; i++)
		len += (size_t)snprintf(why + len, CONF_WHY_CAP - len, " %s", k->words[i]);
	return false;
}

static bool
set_word(void *dst, const struct conf_key *k, const char *value, char why[CONF_WHY_CAP])
{
	int index;

	if (!word_index(k, value, &index, why))
		return false;
	*(int *)dst = index;
	return true;
}

static bool
set_second_word(void *dst, const struct conf_key *k, const char *value, char why[CONF_WHY_CAP])
{
	int index;

	if (!word_index(k, value, &index, why))
		return false;
	*(bool *)dst = index == 1;
	return true;
}

/* Calls add for each item of "a, b c": commas and blanks separate them. */
static bool
each_item(const char *value, bool (*add)(void *ctx, const char *item, char why[CONF_WHY_CAP]),
    void *ctx, char why[CONF_WHY_CAP])
{
	char item[CONF_TEXT_CAP];

	for (const char *p = value; *(p += strspn(p, ", \t")) != '\0';) {
		size_t len = strcspn(p, ", \t");

		if (len >= sizeof(item))
			return complain(why, "has an item that is too long");
		memcpy(item, p, len);
		item[len] = '\0';
		if (!add(ctx, item, why))
			return false;
		p += len;
	}
	return true;
}

static const char *const role_words[] = { "gateway", "reservation", "operator", "refund", "viewer",
	NULL };

static bool
add_role(void *ctx, const char *item, char why[CONF_WHY_CAP])
{
	const struct conf_key k = { .words = role_words };
	int index;

	if (!word_index(&k, item, &index, why))
		return false;
	*(unsigned *)ctx |= 1U << index;
	return true;
}

static bool
set_roles(void *dst, const struct conf_key *k, const char *value, char why[CONF_WHY_CAP])
{
	(void)k;
	*(unsigned *)dst = 0;
	return each_item(value, add_role, dst, why);
}

struct list {
	const struct conf_key *key;
	char *items;
	size_t *n;
};

static bool
add_to_list(void *ctx, const char *text, char why[CONF_WHY_CAP])
{
	struct list *l = ctx;
	size_t max = l->key->cap / l->key->item_size;

	if (*l->n == max) {
		snprintf(why, CONF_WHY_CAP, "takes %zu at the most", max);
		return false;
	}
	if (!l->key->set_item(l->items + *l->n * l->key->item_size, l->key->item_size, text, why))
		return false;
	(*l->n)++;
	return true;
}

static bool
set_list(void *dst, const struct conf_key *k, const char *value, char why[CONF_WHY_CAP])
{
	char *record = (char *)dst - k->offset;
	struct list l = { k, dst, (size_t *)(void *)(record + k->count_offset) };

	*l.n = 0;
	return each_item(value, add_to_list, &l, why);
}

bool
conf_is_cid(const char *text)
{
	for (size_t i = 0; i < 10; i++)
		if (!isalnum((unsigned char)text[i]))
			return false;
	return text[10] == '\0';
}

static bool
cid_item(void *item, size_t size, const char *text, char why[CONF_WHY_CAP])
{
	if (!conf_is_cid(text))
		return complain(why, "has an item that is not a cid (10 letters and digits)");
	text_copy(item, size, text);
	return true;
}

static bool
token_item(void *item, size_t size, const char *text, char why[CONF_WHY_CAP])
{
	return hex_parse(text, item, size) ||
	    complain(why, "must be the SHA-256 of the token, 64 hex digits");
}

static bool
host_item(void *item, size_t size, const char *text, char why[CONF_WHY_CAP])
{
	return text_copy(item, size, text) || complain(why, "has an item that is too long");
}

static bool
address_item(void *item, size_t size, const char *text, char why[CONF_WHY_CAP])
{
	(void)size;
	return address_read(text, strlen(text), item) ||
	    complain(why, "must be addresses, 127.0.0.1 or ::1");
}

static bool
proxy_item(void *item, size_t size, const char *text, char why[CONF_WHY_CAP])
{
	if (strcmp(text, CONF_PROXY_UNIX) == 0)
		return host_item(item, size, text, why);
	return address_read(text, strlen(text), item) ||
	    complain(why, "must be addresses of proxies, 127.0.0.1 or ::1, or the word unix");
}

static bool
uid_item(void *item, size_t size, const char *text, char why[CONF_WHY_CAP])
{
	char *end;
	unsigned long uid = strtoul(text, &end, 10);

	(void)size;
	if (*end != '\0' || uid >= UINT32_MAX)
		return complain(why, "must be numbers of users");
	*(uint32_t *)item = (uint32_t)uid;
	return true;
}

static const char *const unit_words[] = { "hour", "minute", NULL };
static const char *const format_words[] = { "logfmt", "json", NULL };
static const char *const target_words[] = { "stderr", "syslog", NULL };
static const char *const level_words[] = { "error", "warn", "info", "debug", NULL };
static const char *const mode_words[] = { "secret_key", "admin_key", "user_token", NULL };
static const char *const queue_log_words[] = { "disk", "mongodb", NULL };
static const char *const unbookable_words[] = { "keep", "refund", NULL };
static const char *const keep_slash[] = { NULL };

#define MEMBER(type, member) (((struct type *)0)->member)
#define AT(type, member) offsetof(struct type, member), sizeof(MEMBER(type, member))
#define LIST(type, member, count, item) \
	AT(type, member), .count_offset = offsetof(struct type, count), \
			  .item_size = sizeof(MEMBER(type, member)[0]), .set_item = (item)

/* clang-format off */
static const struct conf_key keys[] = {
	{ "site", "time_unit",       set_second_word, AT(conf, time_unit_minute),
	    .preset = "hour", .words = unit_words },
	{ "site", "redirect_hosts",  set_list, LIST(conf, url_hosts, n_url_hosts, host_item) },
	{ "site", "redirect_http",   set_bool,   AT(conf, url_http), .preset = "no" },
	{ "site", "replay_key_file", set_secret_path,   AT(conf, replay_key_file),
	    .required = true },
	{ "site", "log_level",       set_word,   AT(conf, log_level),
	    .preset = "info", .words = level_words },
	{ "site", "log_format",      set_word,   AT(conf, log_format),
	    .preset = "logfmt", .words = format_words },
	{ "site", "log_to",          set_word,   AT(conf, log_target),
	    .preset = "stderr", .words = target_words },
	{ "site", "user",            set_text,   AT(conf, user) },
	{ "site", "metrics_dir",     set_path,   AT(conf, metrics_dir) },

	{ "fcgi", "socket",          set_path,   AT(conf, fcgi_socket) },
	{ "fcgi", "workers",         set_int,    AT(conf, workers), 1, 1000, 1, "40" },
	{ "fcgi", "prefix",          set_prefix, AT(conf, prefix) },
	{ "fcgi", "metrics_addresses", set_list,
	    LIST(conf, metrics_addresses, n_metrics_addresses, address_item) },
	{ "fcgi", "trusted_proxies", set_list,
	    LIST(conf, trusted_proxies, n_trusted_proxies, proxy_item) },
	{ "fcgi", "deadline",        set_int,    AT(conf, deadline_ms), 5000, 30000, 1, "13000" },
	{ "fcgi", "drain",           set_int,    AT(conf, drain_ms), 0, 300, 1000, "0" },

	{ "console", "serve",        set_bool,   AT(conf, console), .preset = "no" },
	{ "console", "dir",          set_path,   AT(conf, console_dir),
	    .preset = PKGDATADIR "/console" },
	{ "console", "addresses",    set_list,
	    LIST(conf, console_addresses, n_console_addresses, address_item) },

	{ "queue", "socket",             set_path, AT(conf, queue_socket), .required = true },
	{ "queue", "socket_group",   set_text,   AT(conf, queue_group) },
	{ "queue", "dir",                set_path, AT(conf, queue_dir), .required = true },
	{ "queue", "log",                set_word, AT(conf, queue_log),
	    .preset = "disk", .words = queue_log_words },
	{ "queue", "log_keep",           set_int,  AT(conf, log_keep_s), 10, 604800, 1, "3600" },
	{ "queue", "log_snapshot_every", set_int,  AT(conf, log_snapshot_every),
	    10, 1000000, 1, "10000" },
	{ "queue", "allow_uids",         set_list, LIST(conf, queue_uids, n_queue_uids, uid_item) },
	{ "queue", "max_holds_per_user", set_int,  AT(conf, max_holds_per_user), 1, 1000, 1, "3" },
	{ "queue", "sold_guard",         set_int,  AT(conf, guard_ms), 0, 3600, 1000, "60" },
	{ "queue", "max_calls_ready",    set_int,  AT(conf, max_calls_ready), 0, 1000, 1, "0" },
	{ "queue", "max_calls",          set_int,  AT(conf, max_calls), 0, 1000, 1, "0" },
	{ "queue", "max_refused_tokens", set_int,  AT(conf, max_refused_tokens), 1, 1000, 1, "5" },

	{ "store", "uri",      set_text, AT(conf, store_uri) },
	{ "store", "uri_file", set_secret_path, AT(conf, store_uri_file) },
	{ "store", "database", set_text, AT(conf, database), .preset = "roompay" },

	{ "courier", "parallel", set_int,  AT(conf, courier_parallel), 1, 256, 1, "64" },
	{ "courier", "queue",    set_bool, AT(conf, courier_queue), .preset = "yes" },

	{ "deliver", "url",      set_url,  AT(conf_peer, url),
	    .required = true, .words = keep_slash },
	{ "deliver", "key_file", set_secret_path, AT(conf_peer, key_file), .required = true },
	{ "deliver", "old_key_file", set_secret_path, AT(conf_peer, old_key_file) },

	{ "caller", "roles",        set_roles,  AT(conf_caller, roles), .required = true },
	{ "caller", "cids",         set_list, LIST(conf_caller, cids, n_cids, cid_item),
	    .required = true },
	{ "caller", "token_sha256", set_list, LIST(conf_caller, token_sha256, n_tokens, token_item),
	    .required = true },

	{ "merchant", "mode",            set_word, AT(conf_merchant, mode),
	    .required = true, .words = mode_words },
	{ "merchant", "base_url",        set_url,  AT(conf_merchant, base_url) },
	{ "merchant", "key_file",        set_secret_path, AT(conf_merchant, key_file),
	    .required = true },
	{ "merchant", "cid_secret_file", set_secret_path, AT(conf_merchant, cid_secret_file) },
	{ "merchant", "hold_ttl",        set_int,  AT(conf_merchant, hold_ttl_ms),
	    1, 840, 1000, "600" },
	{ "merchant", "on_unbookable",   set_word, AT(conf_merchant, on_unbookable),
	    .preset = "keep", .words = unbookable_words },
};
/* clang-format on */
enum { N_KEYS = sizeof(keys) / sizeof(keys[0]) };
static_assert(N_KEYS < 64, "a set of keys fits into 64 bits");
static_assert(sizeof(enum log_level) == sizeof(int) && sizeof(enum conf_mode) == sizeof(int),
    "set_word writes an int");

const struct conf_key *
conf_key(size_t i)
{
	return i < N_KEYS ? &keys[i] : NULL;
}
