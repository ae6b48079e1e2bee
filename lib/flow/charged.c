#include "config.h"

#include "flow/charged.h"

#include "json/write.h"

void
flow_charged_add(struct buf *b, enum flow_charged charged)
{
	if (charged == FC_UNKNOWN)
		json_add_str_member(b, "charged", "unknown");
	else if (charged != FC_ABSENT)
		json_add_bool_member(b, "charged", charged == FC_TRUE);
}
