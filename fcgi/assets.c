#include "config.h"

#include "fcgi/assets.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/text.h"

static struct asset assets[ASSETS_MAX];
static size_t n_assets;

/* clang-format off */
static const struct {
	const char *ending, *type;
} types[] = {
	{ ".html",        "text/html; charset=utf-8" },
	{ ".js",          "text/javascript; charset=utf-8" },
	{ ".mjs",         "text/javascript; charset=utf-8" },
	{ ".css",         "text/css; charset=utf-8" },
	{ ".svg",         "image/svg+xml" },
	{ ".png",         "image/png" },
	{ ".ico",         "image/vnd.microsoft.icon" },
	{ ".json",        "application/json" },
	{ ".webmanifest", "application/manifest+json" },
	{ ".woff2",       "font/woff2" },
	{ ".txt",         "text/plain; charset=utf-8" },
};
/* clang-format on */

static const char *
type_of(const char *name)
{
	const char *ending = strrchr(name, '.');

	for (size_t i = 0; ending != NULL && i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i].ending, ending) == 0)
			return types[i].type;
	return NULL;
}

static bool
is_plain(const char *name)
{
	static const char allowed[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

	return name[0] != '.' && strspn(name, allowed) == strlen(name);
}

static bool
read_whole(const char *path, size_t len, struct asset *a, struct error *err)
{
	unsigned char hash[DIGEST_LEN];
	FILE *in = fopen(path, "re");
	bool ok;

	if (in == NULL)
		return error_sys(err, ERR_INPUT, "%s", path);
	a->data = malloc(len + 1);
	ok = a->data != NULL && fread(a->data, 1, len, in) == len && getc(in) == EOF;
	fclose(in);
	if (!ok || !digest_sha256(a->data, len, hash)) {
		free(a->data);
		a->data = NULL;
		return error_set(err, ERR_INPUT, "%s cannot be read", path);
	}
	a->len = len;
	a->etag[0] = '"';
	hex_format(hash, 16, a->etag + 1);
	strcat(a->etag, "\"");
	return true;
}

static bool
add_file(const char *path, const char *name, off_t size, struct error *err)
{
	struct asset *a = &assets[n_assets];

	if (type_of(name) == NULL)
		return true;
	if (n_assets == ASSETS_MAX || size > ASSET_MAX)
		return error_set(err, ERR_INPUT, "%s: more than %d files, or than %d bytes", path,
		    ASSETS_MAX, ASSET_MAX);
	*a = (struct asset){ .type = type_of(name) };
	text_copy(a->name, sizeof(a->name), name);
	if (!read_whole(path, (size_t)size, a, err))
		return false;
	n_assets++;
	return true;
}

static bool read_folder(const char *dir, const char *below, int depth, struct error *err);

static bool
add_entry(const char *dir, const char *below, const char *entry, int depth, struct error *err)
{
	enum { DEPTH_MAX = 3 };
	char path[4096], name[ASSET_NAME_CAP];
	struct stat st;
	int len, n;

	if (!is_plain(entry))
		return true;
	len = snprintf(path, sizeof(path), "%s/%s", dir, entry);
	n = snprintf(name, sizeof(name), "%s%s", below, entry);
	if (len < 0 || (size_t)len >= sizeof(path) || n < 0 || (size_t)n + 1 >= sizeof(name))
		return error_set(err, ERR_INPUT, "%s/%s: its name is too long", dir, entry);
	if (stat(path, &st) != 0)
		return error_sys(err, ERR_INPUT, "%s", path);
	if (S_ISREG(st.st_mode))
		return add_file(path, name, st.st_size, err);
	if (!S_ISDIR(st.st_mode) || depth == DEPTH_MAX)
		return true;
	strcat(name, "/");
	return read_folder(path, name, depth + 1, err);
}

static bool
read_folder(const char *dir, const char *below, int depth, struct error *err)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	bool ok = true;

	if (d == NULL)
		return error_sys(err, ERR_INPUT, "%s", dir);
	while (ok && (e = readdir(d)) != NULL)
		ok = add_entry(dir, below, e->d_name, depth, err);
	closedir(d);
	return ok;
}

void
assets_clear(void)
{
	for (size_t i = 0; i < n_assets; i++)
		free(assets[i].data);
	n_assets = 0;
}

bool
assets_read(const char *dir, struct error *err)
{
	assets_clear();
	if (read_folder(dir, "", 0, err) &&
	    (assets_find("index.html") != NULL ||
		error_set(err, ERR_INPUT, "%s has no index.html", dir)))
		return true;
	assets_clear();
	return false;
}

void
assets_open(const struct conf *conf)
{
	struct error err = { 0 };

	if (!conf->console)
		assets_clear();
	else if (!assets_read(conf->console_dir, &err))
		log_event(LOG_LEVEL_ERROR, "console_without_pages", KV_ERR(&err));
}

const struct asset *
assets_find(const char *name)
{
	for (size_t i = 0; i < n_assets; i++)
		if (strcmp(assets[i].name, name) == 0)
			return &assets[i];
	return NULL;
}
