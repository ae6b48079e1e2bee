#include "config.h"

#include "fcgi/verdict.h"

enum request_verdict
verdict_of_fields(const struct field_errors *errors)
{
	if (errors->bad)
		return REQUEST_NO_MEMORY;
	return errors->n > 0 ? REQUEST_WRONG_FIELDS : REQUEST_OK;
}

enum request_verdict
verdict_of_parse(bool parsed, const struct error *err)
{
	if (parsed)
		return REQUEST_OK;
	return err->code == ERR_INPUT ? REQUEST_MALFORMED : REQUEST_NO_MEMORY;
}
