#include "config.h"

#include "ctl/lang.h"

#include <stdlib.h>
#include <string.h>

static bool korean;

bool
ctl_set_lang(const char *lang)
{
	static const char *const names[] = { "LC_ALL", "LC_MESSAGES", "LANG" };
	const char *locale = NULL;

	if (lang != NULL) {
		korean = strcmp(lang, "ko") == 0;
		return korean || strcmp(lang, "en") == 0;
	}
	for (size_t i = 0; locale == NULL && i < sizeof(names) / sizeof(names[0]); i++)
		if (getenv(names[i]) != NULL && getenv(names[i])[0] != '\0')
			locale = getenv(names[i]);
	korean = locale != NULL && strncmp(locale, "ko", 2) == 0;
	return true;
}

bool
ctl_is_korean(void)
{
	return korean;
}

const char *
tr(const char *english, const char *korean_text)
{
	return korean ? korean_text : english;
}
