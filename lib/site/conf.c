#include "config.h"

#include "site/conf.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "site/conf_safe.h"

#include "base/loopback.h"

/* One row a key. A section whose title has a second word ("caller NAME") makes one record for each name. */
struct key {
	const char *section, *name;
	bool (*set)(void *dst, const struct key *k, const char *value, char why[96]);
	size_t offset, cap;	/* of the member in its record; bytes of a text */
	int64_t min, max, scale;
	const char *preset;	/* NULL: stays zero. The same syntax as in the file */
	const char *const *words;
	bool required;
};

struct record {
	const char *section;
	size_t size;
	void *(*find)(struct conf *c, const char *name, char why[96]);
	bool single;		/* no name in the title */
};

static bool
complain(char why[96], const char *text)
{
	snprintf(why, 96, "%s", text);
	return false;
}

static bool
set_text(void *dst, const struct key *k, const char *value, char why[96])
{
	if (strlen(value) >= k->cap) {
		snprintf(why, 96, "is longer than %zu bytes", k->cap - 1);
		return false;
	}
	memset(dst, 0, k->cap);
	memcpy(dst, value, strlen(value));
	return true;
}

static bool
set_path(void *dst, const struct key *k, const char *value, char why[96])
{
	if (value[0] != '/')
		return complain(why, "must be an absolute path");
	return set_text(dst, k, value, why);
}

/* A file with a secret: where it is, or "credential:NAME" for one of systemd's. */
static bool
set_secret_path(void *dst, const struct key *k, const char *value, char why[96])
{
	if (strncmp(value, SECRET_CREDENTIAL, sizeof(SECRET_CREDENTIAL) - 1) != 0)
		return set_path(dst, k, value, why);
	value += sizeof(SECRET_CREDENTIAL) - 1;
	if (value[0] == '\0' || strchr(value, '/') != NULL)
		return complain(why, "must name a credential behind credential:");
	return set_text(dst, k, value - (sizeof(SECRET_CREDENTIAL) - 1), why);
}

static bool
set_prefix(void *dst, const struct key *k, const char *value, char why[96])
{
	size_t len = strlen(value);

	if (len > 0 && (value[0] != '/' || value[len - 1] == '/'))
		return complain(why, "must be empty, or begin with / and not end with it");
	return set_text(dst, k, value, why);
}

bool
conf_is_loopback(const char *url)
{
	static const char scheme[] = "http://";
	const char *begin = url + sizeof(scheme) - 1, *end;

	if (strncmp(url, scheme, sizeof(scheme) - 1) != 0 || begin[strcspn(begin, "@\\")] != '\0')
		return false;
	end = begin + (begin[0] == '[' ? strcspn(begin, "]/") + (strchr(begin, ']') != NULL) : strcspn(begin, ":/?#"));
	return strchr(":/?#", *end) != NULL && loopback_is_host(begin, (size_t)(end - begin));
}

static bool
set_url(void *dst, const struct key *k, const char *value, char why[96])
{
	size_t len = strlen(value);

	if (strncmp(value, "https://", 8) != 0 && !conf_is_loopback(value))
		return complain(why, "must be https, or http to a loopback address");
	if (strchr(value, '@') != NULL || strchr(value, '#') != NULL || strpbrk(value, " \t\\") != NULL)
		return complain(why, "must have no user, fragment, space or backslash");
	if (!set_text(dst, k, value, why))
		return false;
	if (((char *)dst)[len - 1] == '/' && k->words == NULL)
		((char *)dst)[len - 1] = '\0';
	return true;
}

static bool
set_int(void *dst, const struct key *k, const char *value, char why[96])
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(value, &end, 10);
	if (end == value || *end != '\0' || errno != 0 || n < k->min || n > k->max) {
		snprintf(why, 96, "must be a whole number from %lld to %lld", (long long)k->min, (long long)k->max);
		return false;
	}
	*(int64_t *)dst = n * k->scale;
	return true;
}

static bool
set_bool(void *dst, const struct key *k, const char *value, char why[96])
{
	(void)k;
	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return complain(why, "must be yes or no");
	*(bool *)dst = value[0] == 'y';
	return true;
}

static bool
word_index(const struct key *k, const char *value, int *index, char why[96])
{
	size_t len;

	for (*index = 0; k->words[*index] != NULL; (*index)++)
		if (strcmp(k->words[*index], value) == 0)
			return true;
	len = (size_t)snprintf(why, 96, "must be one of");
	for (int i = 0; k->words[i] != NULL && len < 96; i++)
		len += (size_t)snprintf(why + len, 96 - len, " %s", k->words[i]);
	return false;
}

static bool
set_word(void *dst, const struct key *k, const char *value, char why[96])
{
	int index;

	if (!word_index(k, value, &index, why))
		return false;
	*(int *)dst = index;
	return true;
}

static bool
set_second_word(void *dst, const struct key *k, const char *value, char why[96])
{
	int index;

	if (!word_index(k, value, &index, why))
		return false;
	*(bool *)dst = index == 1;
	return true;
}

/* Calls add for each item of "a, b c": commas and blanks between them. */
static bool
each_item(const char *value, bool (*add)(void *ctx, const char *item, char why[96]), void *ctx, char why[96])
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

static const char *const role_words[] = { "gateway", "reservation", "operator", "refund", NULL };

static bool
add_role(void *ctx, const char *item, char why[96])
{
	const struct key k = { .words = role_words };
	int index;

	if (!word_index(&k, item, &index, why))
		return false;
	*(unsigned *)ctx |= 1U << index;
	return true;
}

static bool
set_roles(void *dst, const struct key *k, const char *value, char why[96])
{
	(void)k;
	*(unsigned *)dst = 0;
	return each_item(value, add_role, dst, why);
}

static bool
is_cid(const char *s)
{
	for (size_t i = 0; i < 10; i++)
		if (!isalnum((unsigned char)s[i]))
			return false;
	return s[10] == '\0';
}

static bool
add_cid(void *ctx, const char *item, char why[96])
{
	struct conf_caller *c = ctx;

	if (!is_cid(item))
		return complain(why, "has an item that is not a cid (10 letters and digits)");
	if (c->n_cids == CONF_CIDS_MAX)
		return complain(why, "has too many items");
	memcpy(c->cids[c->n_cids++], item, 11);
	return true;
}

static bool
set_cids(void *dst, const struct key *k, const char *value, char why[96])
{
	struct conf_caller *c = (struct conf_caller *)(void *)((char *)dst - k->offset);

	c->n_cids = 0;
	return each_item(value, add_cid, c, why);
}

static bool
add_token(void *ctx, const char *item, char why[96])
{
	struct conf_caller *c = ctx;

	if (c->n_tokens == CONF_TOKENS_MAX)
		return complain(why, "takes two at the most, for rotation");
	if (strlen(item) != 64 || strspn(item, "0123456789abcdefABCDEF") != 64)
		return complain(why, "must be the SHA-256 of the token, 64 hex digits");
	for (size_t i = 0; i < 32; i++) {
		unsigned byte;

		if (sscanf(item + 2 * i, "%2x", &byte) != 1)
			return complain(why, "must be 64 hex digits");
		c->token_sha256[c->n_tokens][i] = (uint8_t)byte;
	}
	c->n_tokens++;
	return true;
}

static bool
set_tokens(void *dst, const struct key *k, const char *value, char why[96])
{
	struct conf_caller *c = (struct conf_caller *)(void *)((char *)dst - k->offset);

	c->n_tokens = 0;
	return each_item(value, add_token, c, why);
}

static bool
add_host(void *ctx, const char *item, char why[96])
{
	struct conf *c = ctx;

	if (c->n_url_hosts == CONF_HOSTS_MAX || strlen(item) >= CONF_PATH_CAP)
		return complain(why, "has too many items");
	snprintf(c->url_hosts[c->n_url_hosts++], CONF_PATH_CAP, "%s", item);
	return true;
}

static bool
set_hosts(void *dst, const struct key *k, const char *value, char why[96])
{
	struct conf *c = (struct conf *)(void *)((char *)dst - k->offset);

	c->n_url_hosts = 0;
	return each_item(value, add_host, c, why);
}

static bool
add_address(void *ctx, const char *item, char why[96])
{
	unsigned char binary[sizeof(struct in6_addr)];
	struct conf *c = ctx;

	if (inet_pton(AF_INET, item, binary) != 1 && inet_pton(AF_INET6, item, binary) != 1)
		return complain(why, "must be addresses, 127.0.0.1 or ::1");
	if (c->n_metrics_addresses == CONF_ADDRESSES_MAX || strlen(item) >= CONF_ADDRESS_CAP)
		return complain(why, "has too many items");
	snprintf(c->metrics_addresses[c->n_metrics_addresses++], CONF_ADDRESS_CAP, "%s", item);
	return true;
}

static bool
set_addresses(void *dst, const struct key *k, const char *value, char why[96])
{
	struct conf *c = (struct conf *)(void *)((char *)dst - k->offset);

	c->n_metrics_addresses = 0;
	return each_item(value, add_address, c, why);
}

static bool
add_uid(void *ctx, const char *item, char why[96])
{
	struct conf *c = ctx;
	char *end;
	unsigned long uid = strtoul(item, &end, 10);

	if (*end != '\0' || uid >= UINT32_MAX)
		return complain(why, "must be numbers of users");
	if (c->n_queue_uids == CONF_UIDS_MAX)
		return complain(why, "has too many items");
	c->queue_uids[c->n_queue_uids++] = (uint32_t)uid;
	return true;
}

static bool
set_uids(void *dst, const struct key *k, const char *value, char why[96])
{
	struct conf *c = (struct conf *)(void *)((char *)dst - k->offset);

	c->n_queue_uids = 0;
	return each_item(value, add_uid, c, why);
}

static const char *const unit_words[] = { "hour", "minute", NULL };
static const char *const format_words[] = { "logfmt", "json", NULL };
static const char *const target_words[] = { "stderr", "syslog", NULL };
static const char *const level_words[] = { "error", "warn", "info", "debug", NULL };
static const char *const mode_words[] = { "secret_key", "admin_key", "user_token", NULL };
static const char *const unbookable_words[] = { "keep", "refund", NULL };
static const char *const keep_slash[] = { NULL };

#define AT(type, member) offsetof(struct type, member), sizeof(((struct type *)0)->member)

/* clang-format off */
static const struct key keys[] = {
	{ "site", "time_unit",       set_second_word, AT(conf, time_unit_minute), .preset = "hour", .words = unit_words },
	{ "site", "redirect_hosts",  set_hosts,  AT(conf, url_hosts) },
	{ "site", "redirect_http",   set_bool,   AT(conf, url_http), .preset = "no" },
	{ "site", "replay_key_file", set_secret_path,   AT(conf, replay_key_file), .required = true },
	{ "site", "log_level",       set_word,   AT(conf, log_level), .preset = "info", .words = level_words },
	{ "site", "log_format",      set_word,   AT(conf, log_format), .preset = "logfmt", .words = format_words },
	{ "site", "log_to",          set_word,   AT(conf, log_target), .preset = "stderr", .words = target_words },
	{ "site", "user",            set_text,   AT(conf, user) },
	{ "site", "metrics_dir",     set_path,   AT(conf, metrics_dir) },

	{ "fcgi", "socket",          set_path,   AT(conf, fcgi_socket) },
	{ "fcgi", "workers",         set_int,    AT(conf, workers), 1, 1000, 1, "8" },
	{ "fcgi", "prefix",          set_prefix, AT(conf, prefix) },
	{ "fcgi", "metrics_addresses", set_addresses, AT(conf, metrics_addresses) },
	{ "fcgi", "deadline",        set_int,    AT(conf, deadline_ms), 5000, 30000, 1, "13000" },

	{ "queue", "socket",             set_path, AT(conf, queue_socket), .required = true },
	{ "queue", "socket_group",   set_text,   AT(conf, queue_group) },
	{ "queue", "dir",                set_path, AT(conf, queue_dir), .required = true },
	{ "queue", "allow_uids",         set_uids, AT(conf, queue_uids) },
	{ "queue", "max_holds_per_user", set_int,  AT(conf, max_holds_per_user), 1, 1000, 1, "3" },
	{ "queue", "sold_guard",         set_int,  AT(conf, guard_ms), 0, 3600, 1000, "60" },
	{ "queue", "max_calls_ready",    set_int,  AT(conf, max_calls_ready), 0, 1000, 1, "0" },
	{ "queue", "max_calls",          set_int,  AT(conf, max_calls), 0, 1000, 1, "0" },
	{ "queue", "max_refused_tokens", set_int,  AT(conf, max_refused_tokens), 1, 1000, 1, "5" },

	{ "store", "uri",      set_text, AT(conf, store_uri) },
	{ "store", "uri_file", set_secret_path, AT(conf, store_uri_file) },
	{ "store", "database", set_text, AT(conf, database), .preset = "roompay" },

	{ "courier", "parallel", set_int,  AT(conf, courier_parallel), 1, 256, 1, "16" },
	{ "courier", "queue",    set_bool, AT(conf, courier_queue), .preset = "yes" },

	{ "deliver", "url",      set_url,  AT(conf_peer, url), .required = true, .words = keep_slash },
	{ "deliver", "key_file", set_secret_path, AT(conf_peer, key_file), .required = true },
	{ "deliver", "old_key_file", set_secret_path, AT(conf_peer, old_key_file) },

	{ "caller", "roles",        set_roles,  AT(conf_caller, roles), .required = true },
	{ "caller", "cids",         set_cids,   AT(conf_caller, cids), .required = true },
	{ "caller", "token_sha256", set_tokens, AT(conf_caller, token_sha256), .required = true },

	{ "merchant", "mode",            set_word, AT(conf_merchant, mode), .required = true, .words = mode_words },
	{ "merchant", "base_url",        set_url,  AT(conf_merchant, base_url) },
	{ "merchant", "key_file",        set_secret_path, AT(conf_merchant, key_file), .required = true },
	{ "merchant", "cid_secret_file", set_secret_path, AT(conf_merchant, cid_secret_file) },
	{ "merchant", "hold_ttl",        set_int,  AT(conf_merchant, hold_ttl_ms), 1, 840, 1000, "600" },
	{ "merchant", "on_unbookable",   set_word, AT(conf_merchant, on_unbookable), .preset = "keep", .words = unbookable_words },
};
/* clang-format on */
enum { N_KEYS = sizeof(keys) / sizeof(keys[0]) };
static_assert(N_KEYS <= 64, "seen is a set of 64 bits");
static_assert(sizeof(enum log_level) == sizeof(int) && sizeof(enum conf_mode) == sizeof(int), "set_word writes an int");

static void *
find_site(struct conf *c, const char *name, char why[96])
{
	(void)name;
	(void)why;
	return c;
}

static void *
find_peer(struct conf *c, const char *name, char why[96])
{
	if (strcmp(name, "reservation") == 0)
		return &c->reservation;
	if (strcmp(name, "gateway") == 0)
		return &c->gateway;
	complain(why, "must be [deliver reservation] or [deliver gateway]");
	return NULL;
}

static void *
find_caller(struct conf *c, const char *name, char why[96])
{
	for (size_t i = 0; i < c->n_callers; i++)
		if (strcmp(c->callers[i].name, name) == 0)
			return &c->callers[i];
	if (strlen(name) >= sizeof(c->callers[0].name) || c->n_callers == CONF_CALLERS_MAX) {
		complain(why, "has too long a name, or there are too many");
		return NULL;
	}
	snprintf(c->callers[c->n_callers].name, sizeof(c->callers[0].name), "%s", name);
	return &c->callers[c->n_callers++];
}

static void *
find_merchant(struct conf *c, const char *name, char why[96])
{
	for (size_t i = 0; i < c->n_merchants; i++)
		if (strcmp(c->merchants[i].cid, name) == 0)
			return &c->merchants[i];
	if (!is_cid(name) || c->n_merchants == CONF_MERCHANTS_MAX) {
		complain(why, "must be named by a cid (10 letters and digits), and there is a limit of 32");
		return NULL;
	}
	memcpy(c->merchants[c->n_merchants].cid, name, 11);
	return &c->merchants[c->n_merchants++];
}

static const struct record records[] = {
	{ "site", 0, find_site, true },
	{ "fcgi", 0, find_site, true },
	{ "queue", 0, find_site, true },
	{ "store", 0, find_site, true },
	{ "courier", 0, find_site, true },
	{ "deliver", 0, find_peer, false },
	{ "caller", 0, find_caller, false },
	{ "merchant", 0, find_merchant, false },
};

enum { TITLES_MAX = 80 };

struct title {		/* one section of the file */
	char text[160];
	const struct record *record;
	void *target;
	uint64_t seen;	/* keys set, by index */
	int line;
};

struct reading {
	struct conf *conf;
	const char *path;
	FILE *in, *out;
	int line, mistakes;
	struct title titles[TITLES_MAX];
	size_t n_titles;
};

static void
mistake(struct reading *r, int line, const char *section, const char *key, const char *why)
{
	r->mistakes++;
	if (r->out == NULL)
		return;
	if (line > 0)
		fprintf(r->out, "%s:%d: ", r->path, line);
	else
		fprintf(r->out, "%s: ", r->path);
	if (section != NULL)
		fprintf(r->out, "[%s] ", section);
	fprintf(r->out, "%s%s%s\n", key == NULL ? "" : key, key == NULL ? "" : " ", why);
}

static void
apply_presets(const struct record *rec, void *target)
{
	char why[96];

	for (size_t i = 0; i < N_KEYS; i++)
		if (strcmp(keys[i].section, rec->section) == 0 && keys[i].preset != NULL) {
			bool set = keys[i].set((char *)target + keys[i].offset, &keys[i], keys[i].preset, why);

			assert(set);
		}
}

static struct title *
find_title(struct reading *r, const char *text)
{
	const char *name = strchr(text, ' ');
	size_t len = name == NULL ? strlen(text) : (size_t)(name - text);
	struct title *t;
	char why[96] = "is not a section of this file";

	for (size_t i = 0; i < r->n_titles; i++)
		if (strcmp(r->titles[i].text, text) == 0)
			return &r->titles[i];
	if (r->n_titles == TITLES_MAX || strlen(text) >= sizeof(t->text)) {
		mistake(r, r->line, text, NULL, "is one section too many, or its name is too long");
		return NULL;
	}
	t = &r->titles[r->n_titles++];
	*t = (struct title){ .line = r->line };
	snprintf(t->text, sizeof(t->text), "%s", text);
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++)
		if (strlen(records[i].section) == len && strncmp(records[i].section, text, len) == 0 &&
		    records[i].single == (name == NULL)) {
			t->target = records[i].find(r->conf, name == NULL ? "" : name + strspn(name, " "), why);
			t->record = t->target == NULL ? NULL : &records[i];
		}
	if (t->record == NULL)
		mistake(r, r->line, text, NULL, why);
	else if (!t->record->single)
		apply_presets(t->record, t->target);
	return t;
}

static int
on_value(void *user, const char *section, const char *name, const char *value)
{
	struct reading *r = user;
	struct title *t = find_title(r, section);
	char why[96] = "";

	if (t == NULL || t->record == NULL)
		return 1;	/* said once, where the section began */
	for (size_t i = 0; i < N_KEYS; i++) {
		if (strcmp(keys[i].section, t->record->section) != 0 || strcmp(keys[i].name, name) != 0)
			continue;
		if (t->seen >> i & 1)
			mistake(r, r->line, section, name, "stands twice");
		else if (!keys[i].set((char *)t->target + keys[i].offset, &keys[i], value, why))
			mistake(r, r->line, section, name, why);
		t->seen |= 1ULL << i;
		return 1;
	}
	mistake(r, r->line, section, name, "is not a key of this section");
	return 1;
}

/* inih tells of keys alone: a section without any is looked at here. */
static void
note_section(struct reading *r, const char *line)
{
	size_t len = line[0] == '[' ? strcspn(line + 1, "]") : 0;
	char title[160];

	if (line[0] != '[' || line[1 + len] != ']' || len >= sizeof(title))
		return;		/* no section, or one that inih refuses */
	memcpy(title, line + 1, len);
	title[len] = '\0';
	find_title(r, title);
}

/* inih calls this once for each line. */
static char *
read_line(char *str, int num, void *stream)
{
	struct reading *r = stream;
	char *line = fgets(str, num, r->in);

	r->line++;
	if (line != NULL)
		note_section(r, line);
	return line;
}

static void
check_required(struct reading *r)
{
	for (size_t s = 0; s < sizeof(records) / sizeof(records[0]); s++)
		for (size_t i = 0; i < N_KEYS; i++) {
			bool found = false;

			if (!keys[i].required || strcmp(keys[i].section, records[s].section) != 0)
				continue;
			for (size_t t = 0; t < r->n_titles; t++) {
				if (r->titles[t].record != &records[s])
					continue;
				found = true;
				if (!(r->titles[t].seen >> i & 1))
					mistake(r, r->titles[t].line, r->titles[t].text, keys[i].name, "is missing");
			}
			if (!found && records[s].single)
				mistake(r, 0, keys[i].section, keys[i].name, "is missing");
		}
}

/* A mistake in a section as a whole, told with the line where it begins. */
static void
mistake_in(void *ctx, const char *title, const char *key, const char *why)
{
	struct reading *r = ctx;
	int line = 0;

	for (size_t i = 0; i < r->n_titles; i++)
		if (strcmp(r->titles[i].text, title) == 0)
			line = r->titles[i].line;
	mistake(r, line, title, key, why);
}

static void
mistake_of_caller(struct reading *r, const char *name, const char *key, const char *why)
{
	char title[80];

	snprintf(title, sizeof(title), "caller %s", name);
	mistake_in(r, title, key, why);
}

static void
check_whole(struct reading *r)
{
	struct conf *c = r->conf;

	if ((c->store_uri[0] == '\0') == (c->store_uri_file[0] == '\0'))
		mistake(r, 0, "store", NULL, "needs uri or uri_file, one of them");
	if (strchr(c->store_uri, '@') != NULL)
		mistake(r, 0, "store", "uri", "holds a password or user: put it into a file and name that as uri_file");
	if (c->n_merchants == 0)
		mistake(r, 0, NULL, NULL, "has no [merchant CID]");
	if (c->n_callers == 0)
		mistake(r, 0, NULL, NULL, "has no [caller NAME]");
	if (c->max_calls != 0 && c->max_calls_ready > c->max_calls)
		mistake(r, 0, "queue", "max_calls_ready", "is above max_calls: approvals would not go first");
	for (size_t i = 0; i < c->n_callers; i++)
		for (size_t j = 0; j < c->callers[i].n_cids; j++)
			if (conf_merchant(c, c->callers[i].cids[j]) == NULL)
				mistake_of_caller(r, c->callers[i].name, "cids", "names a cid without a [merchant] section");
	conf_safe_check(c, &(struct conf_complaint){ mistake_in, r });
}

/* What was left open follows from the rest. */
static void
derive(struct conf *c)
{
	if (c->max_calls_ready == 0)
		c->max_calls_ready = c->workers > 5 ? c->workers - 4 : 1;
	if (c->max_calls == 0)
		c->max_calls = c->workers > 3 ? c->workers - 2 : 1;
	if (c->max_calls < c->max_calls_ready)
		c->max_calls = c->max_calls_ready;
	for (size_t i = 0; i < c->n_merchants; i++)
		if (c->merchants[i].base_url[0] == '\0')
			snprintf(c->merchants[i].base_url, CONF_TEXT_CAP, "%s", c->merchants[i].mode == MODE_SECRET_KEY ?
			    "https://open-api.kakaopay.com" : "https://kapi.kakao.com");
}

static void
open_secret(struct reading *r, struct secret *s, const char *path)
{
	struct error err;

	error_clear(&err);
	if (path[0] != '\0' && !secret_read_file(s, path, &err))
		mistake(r, 0, NULL, NULL, err.msg);
}

static void
open_secrets(struct reading *r, enum conf_user user)
{
	struct conf *c = r->conf;

	if (user == CONF_FOR_QUEUED)
		return;
	open_secret(r, &c->store_uri_secret, c->store_uri_file);
	open_secret(r, &c->replay_key, c->replay_key_file);
	for (size_t i = 0; i < c->n_merchants; i++) {
		open_secret(r, &c->merchants[i].key, c->merchants[i].key_file);
		open_secret(r, &c->merchants[i].cid_secret, c->merchants[i].cid_secret_file);
	}
	if (user & CONF_FOR_COURIER) {
		open_secret(r, &c->reservation.key, c->reservation.key_file);
		open_secret(r, &c->gateway.key, c->gateway.key_file);
		open_secret(r, &c->reservation.old_key, c->reservation.old_key_file);
		open_secret(r, &c->gateway.old_key, c->gateway.old_key_file);
	}
	conf_safe_check_secrets(c, &(struct conf_complaint){ mistake_in, r });
}

/* Who may write the file gives himself any role. Who may read it learns hashes, callers and paths, but no secret. */
static void
check_permissions(struct reading *r)
{
	struct stat st;
	char why[CONF_PATH_CAP + 96];

	if (fstat(fileno(r->in), &st) != 0)
		return;
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		snprintf(why, sizeof(why), "may be written by others than its owner: chmod go-w %s", r->path);
		mistake(r, 0, NULL, NULL, why);
	} else if ((st.st_mode & S_IROTH) != 0 && r->out != NULL)
		fprintf(r->out, "%s: warning: everybody may read it: chmod o-rwx %s\n", r->path, r->path);
}

bool
conf_read(struct conf *c, const char *path, enum conf_user user, FILE *out, struct error *err)
{
	struct reading *r = calloc(1, sizeof(*r));
	int line, mistakes;

	memset(c, 0, sizeof(*c));
	if (r == NULL)
		return error_set(err, ERR_INTERNAL, "out of memory");
	r->conf = c;
	r->path = path;
	r->out = out;
	r->in = fopen(path, "re");
	if (r->in == NULL) {
		free(r);
		return error_sys(err, ERR_INPUT, "cannot open %s", path);
	}
	check_permissions(r);
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++)
		if (records[i].single)
			apply_presets(&records[i], c);
	line = ini_parse_stream(read_line, r, on_value, r);
	if (line > 0)
		mistake(r, line, NULL, NULL, "is no section, key = value or comment");
	else if (line < 0)
		mistake(r, 0, NULL, NULL, "cannot be read");
	fclose(r->in);
	check_required(r);
	derive(c);
	check_whole(r);
	if (r->mistakes == 0)
		open_secrets(r, user);
	mistakes = r->mistakes;
	free(r);
	if (mistakes == 0)
		return true;
	conf_clear(c);
	return error_set(err, ERR_INPUT, "%s: %d mistake%s", path, mistakes, mistakes == 1 ? "" : "s");
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
	enum { GRACE_MS = 2000 };	/* beyond a request's deadline, until its worker is certainly gone */

	return c->deadline_ms + GRACE_MS + c->guard_ms;
}

const char *
conf_store_uri(const struct conf *c)
{
	return secret_is_set(&c->store_uri_secret) ? c->store_uri_secret.text : c->store_uri;
}

const char *
conf_key_name(size_t i, const char **section)
{
	if (i >= N_KEYS)
		return NULL;
	*section = keys[i].section;
	return keys[i].name;
}
