/* The keys of roompay.conf: a table, and how the text of each becomes a member of struct conf. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONF_WHY_CAP = 96 };

/* One row a key. A section whose title has a second word ("caller NAME") makes one record for each
 * name. */
struct conf_key {
	const char *section, *name;
	/* Sets the member at dst. False: why is what follows the name of the key in the message. */
	bool (*set)(void *dst, const struct conf_key *k, const char *value, char why[CONF_WHY_CAP]);
	size_t offset, cap; /* of the member in its record; its bytes */
	int64_t min, max, scale;
	const char *preset; /* NULL: stays zero. The same syntax as in the file */
	const char *const *words;
	bool required;
	/* A list: its items are one after another in the member. */
	size_t count_offset, item_size;
	bool (*set_item)(void *item, size_t size, const char *text, char why[CONF_WHY_CAP]);
};

/* The rows from 0 on; NULL after the last, which has a number below 64. */
const struct conf_key *conf_key(size_t i);

/* Ten letters and digits. */
bool conf_is_cid(const char *text);
