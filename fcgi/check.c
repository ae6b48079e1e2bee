#include "config.h"

#include "fcgi/check.h"

#include <ctype.h>
#include <string.h>

enum field_code
check_alnum(const char *text, const void *ctx)
{
	(void)ctx;
	for (; *text != '\0'; text++)
		if (!isascii(*text) || !isalnum((unsigned char)*text))
			return FIELD_CHARACTER;
	return FIELD__OK;
}

enum field_code
check_name(const char *text, const void *ctx)
{
	(void)ctx;
	for (; *text != '\0'; text++)
		if (!isascii(*text) ||
		    (!isalnum((unsigned char)*text) && strchr("._-", *text) == NULL))
			return FIELD_CHARACTER;
	return FIELD__OK;
}

enum field_code
check_graphic(const char *text, const void *ctx)
{
	(void)ctx;
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text >= 0x7f)
			return FIELD_CHARACTER;
	return FIELD__OK;
}

bool
check_read_room(const char *text, char room_id[ROOM_CAP])
{
	size_t n = 0;

	for (; text[n] != '\0'; n++) {
		if (n == ROOM_CAP - 1 || !isxdigit((unsigned char)text[n]))
			return false;
		room_id[n] = (char)tolower((unsigned char)text[n]);
	}
	room_id[n] = '\0';
	return n == ROOM_CAP - 1;
}

enum field_code
check_room(const char *text, const void *ctx)
{
	char room[ROOM_CAP];

	(void)ctx;
	return check_read_room(text, room) ? FIELD__OK : FIELD_FORMAT;
}
