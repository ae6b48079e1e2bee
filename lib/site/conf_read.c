#include "config.h"

#include "site/conf_read.h"

#include <assert.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "site/conf_keys.h"
#include "site/conf_safe.h"

struct record {
	const char *section;
	size_t size;
	void *(*find)(struct conf *c, const char *name, char why[CONF_WHY_CAP]);
	bool single; /* no name in the title */
};

static void
complain(char why[CONF_WHY_CAP], const char *text)
{
	text_copy(why, CONF_WHY_CAP, text);
}

static void *
find_site(struct conf *c, const char *name, char why[CONF_WHY_CAP])
{
	(void)name;
	(void)why;
	return c;
}

static void *
find_peer(struct conf *c, const char *name, char why[CONF_WHY_CAP])
{
	if (strcmp(name, "reservation") == 0)
		return &c->reservation;
	if (strcmp(name, "gateway") == 0)
		return &c->gateway;
	complain(why, "must be [deliver reservation] or [deliver gateway]");
	return NULL;
}

static void *
find_caller(struct conf *c, const char *name, char why[CONF_WHY_CAP])
{
	for (size_t i = 0; i < c->n_callers; i++)
		if (strcmp(c->callers[i].name, name) == 0)
			return &c->callers[i];
	if (strlen(name) >= sizeof(c->callers[0].name) || c->n_callers == CONF_CALLERS_MAX) {
		complain(why, "has too long a name, or there are too many");
		return NULL;
	}
	text_copy(c->callers[c->n_callers].name, sizeof(c->callers[0].name), name);
	return &c->callers[c->n_callers++];
}

static void *
find_merchant(struct conf *c, const char *name, char why[CONF_WHY_CAP])
{
	for (size_t i = 0; i < c->n_merchants; i++)
		if (strcmp(c->merchants[i].cid, name) == 0)
			return &c->merchants[i];
	if (!conf_is_cid(name) || c->n_merchants == CONF_MERCHANTS_MAX) {
		complain(why,
		    "must be named by a cid (10 letters and digits), and there is a limit of 32");
		return NULL;
	}
	memcpy(c->merchants[c->n_merchants].cid, name, 11);
	return &c->merchants[c->n_merchants++];
}

static const struct record records[] = {
	{ "site", 0, find_site, true },
	{ "fcgi", 0, find_site, true },
	{ "console", 0, find_site, true },
	{ "queue", 0, find_site, true },
	{ "store", 0, find_site, true },
	{ "courier", 0, find_site, true },
	{ "deliver", 0, find_peer, false },
	{ "caller", 0, find_caller, false },
	{ "merchant", 0, find_merchant, false },
};

enum { TITLES_MAX = 80 };

struct title { /* one section of the file */
	char text[160];
	const struct record *record;
	void *target;
	uint64_t seen; /* keys set, by index */
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
	char why[CONF_WHY_CAP];

	for (size_t i = 0; conf_key(i) != NULL; i++)
		if (strcmp(conf_key(i)->section, rec->section) == 0 &&
		    conf_key(i)->preset != NULL) {
			bool set = conf_key(i)->set((char *)target + conf_key(i)->offset,
			    conf_key(i), conf_key(i)->preset, why);

			assert(set);
		}
}

static struct title *
find_title(struct reading *r, const char *text)
{
	const char *name = strchr(text, ' ');
	size_t len = name == NULL ? strlen(text) : (size_t)(name - text);
	struct title *t;
	char why[CONF_WHY_CAP] = "is not a section of this file";

	for (size_t i = 0; i < r->n_titles; i++)
		if (strcmp(r->titles[i].text, text) == 0)
			return &r->titles[i];
	if (r->n_titles == TITLES_MAX || strlen(text) >= sizeof(t->text)) {
		mistake(r, r->line, text, NULL, "is one section too many, or its name is too long");
		return NULL;
	}
	t = &r->titles[r->n_titles++];
	*t = (struct title){ .line = r->line };
	text_copy(t->text, sizeof(t->text), text);
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++)
		if (strlen(records[i].section) == len &&
		    strncmp(records[i].section, text, len) == 0 &&
		    records[i].single == (name == NULL)) {
			t->target = records[i].find(r->conf,
			    name == NULL ? "" : name + strspn(name, " "), why);
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
	char why[CONF_WHY_CAP] = "";

	if (t == NULL || t->record == NULL)
		return 1; /* reported once, where the section began */
	for (size_t i = 0; conf_key(i) != NULL; i++) {
		if (strcmp(conf_key(i)->section, t->record->section) != 0 ||
		    strcmp(conf_key(i)->name, name) != 0)
			continue;
		if (t->seen >> i & 1)
			mistake(r, r->line, section, name, "is set twice");
		else if (!conf_key(i)->set((char *)t->target + conf_key(i)->offset, conf_key(i),
			     value, why))
			mistake(r, r->line, section, name, why);
		t->seen |= 1ULL << i;
		return 1;
	}
	mistake(r, r->line, section, name, "is not a key of this section");
	return 1;
}

/* inih reports keys only. A section without any key is checked here. */
static void
note_section(struct reading *r, const char *line)
{
	size_t len = line[0] == '[' ? strcspn(line + 1, "]") : 0;
	char title[160];

	if (line[0] != '[' || line[1 + len] != ']' || len >= sizeof(title))
		return; /* not a section, or one that inih refuses */
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
		for (size_t i = 0; conf_key(i) != NULL; i++) {
			bool found = false;

			if (!conf_key(i)->required ||
			    strcmp(conf_key(i)->section, records[s].section) != 0)
				continue;
			for (size_t t = 0; t < r->n_titles; t++) {
				if (r->titles[t].record != &records[s])
					continue;
				found = true;
				if (!(r->titles[t].seen >> i & 1))
					mistake(r, r->titles[t].line, r->titles[t].text,
					    conf_key(i)->name, "is missing");
			}
			if (!found && records[s].single)
				mistake(r, 0, conf_key(i)->section, conf_key(i)->name,
				    "is missing");
		}
}

/* Reports a mistake of a whole section with the line where the section begins. */
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
		mistake(r, 0, "store", "uri",
		    "holds a password or user: put it into a file and name that as uri_file");
	if (c->n_merchants == 0)
		mistake(r, 0, NULL, NULL, "has no [merchant CID]");
	if (c->n_callers == 0)
		mistake(r, 0, NULL, NULL, "has no [caller NAME]");
	if (c->max_calls != 0 && c->max_calls_ready > c->max_calls)
		mistake(r, 0, "queue", "max_calls_ready",
		    "is above max_calls: approvals would not go first");
	for (size_t i = 0; i < c->n_callers; i++)
		for (size_t j = 0; j < c->callers[i].n_cids; j++)
			if (conf_merchant(c, c->callers[i].cids[j]) == NULL)
				mistake_of_caller(r, c->callers[i].name, "cids",
				    "names a cid without a [merchant] section");
	conf_safe_check(c, &(struct conf_complaint){ mistake_in, r });
}

/* Defaults that depend on other settings. */
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
			text_copy(c->merchants[i].base_url, CONF_TEXT_CAP,
			    c->merchants[i].mode == MODE_SECRET_KEY
				? "https://open-api.kakaopay.com"
				: "https://kapi.kakao.com");
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

	if (user == CONF_FOR_QUEUED && c->queue_log == QUEUE_LOG_DISK)
		return;
	open_secret(r, &c->store_uri_secret, c->store_uri_file);
	if (user == CONF_FOR_QUEUED)
		return;
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

/* Whoever may write the file can give himself any role. Whoever may read it learns hashes, callers
 * and paths, but no secret. */
static void
check_permissions(struct reading *r)
{
	struct stat st;
	char why[CONF_PATH_CAP + 96];

	if (fstat(fileno(r->in), &st) != 0)
		return;
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		snprintf(why, sizeof(why), "may be written by others than its owner: chmod go-w %s",
		    r->path);
		mistake(r, 0, NULL, NULL, why);
	} else if ((st.st_mode & S_IROTH) != 0 && r->out != NULL)
		fprintf(r->out, "%s: warning: everybody may read it: chmod o-rwx %s\n", r->path,
		    r->path);
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
		mistake(r, line, NULL, NULL, "is not a section, a key = value, or a comment");
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
	return error_set(err, ERR_INPUT, "%s: %d mistake%s", path, mistakes,
	    mistakes == 1 ? "" : "s");
}
