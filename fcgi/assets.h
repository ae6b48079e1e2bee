/*
 * The files of the console. They are read at start, before the workers are forked, and served from
 * memory: no path of a client's touches the file system.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "site/conf.h"

enum { ASSETS_MAX = 64, ASSET_NAME_CAP = 100, ASSET_MAX = 1024 * 1024 };

struct asset {
	char name[ASSET_NAME_CAP]; /* "index.html", "js/app.js" */
	const char *type;	   /* Content-Type */
	char etag[35];		   /* with its quotes */
	char *data;
	size_t len;
};

/*
 * Reads the folder and those in it, in the place of what was read before. Other names than
 * [A-Za-z0-9._-], hidden files and endings without a type are left out. False: nothing can be read,
 * or there is too much of it; then there are no files.
 */
bool assets_read(const char *dir, struct error *err) __attribute__((warn_unused_result));
void assets_clear(void);
/* By the settings; what went wrong is logged, and payments are taken all the same. */
void assets_open(const struct conf *conf);
const struct asset *assets_find(const char *name); /* NULL: there is none */
