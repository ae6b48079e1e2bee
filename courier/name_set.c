#include "config.h"

#include "courier/name_set.h"

#include <stdlib.h>
#include <uthash.h>

#include "base/text.h"

struct name {
	UT_hash_handle hh;
	char id[MESSAGE_ID_CAP];
};

bool
name_set_has(const struct name *set, const char *id)
{
	struct name *n;

	HASH_FIND_STR(set, id, n);
	return n != NULL;
}

bool
name_set_add(struct name **set, const char *id)
{
	struct name *n;

	if (name_set_has(*set, id) || (n = calloc(1, sizeof(*n))) == NULL)
		return false;
	text_copy(n->id, sizeof(n->id), id);
	HASH_ADD_STR(*set, id, n);
	return true;
}

void
name_set_drop(struct name **set, const char *id)
{
	struct name *n;

	HASH_FIND_STR(*set, id, n);
	if (n != NULL) {
		HASH_DEL(*set, n);
		free(n);
	}
}

void
name_set_clear(struct name **set)
{
	struct name *n, *next;

	HASH_ITER(hh, *set, n, next) {
		HASH_DEL(*set, n);
		free(n);
	}
}
