/* The language that roompayctl speaks: Korean with a Korean locale or --lang ko, else English. */
#pragma once

#include <stdbool.h>

/* lang: --lang, or NULL: by LC_ALL, LC_MESSAGES, LANG. False: a language that nobody here speaks.
 */
bool ctl_set_lang(const char *lang);
bool ctl_is_korean(void);
const char *tr(const char *english, const char *korean)
    __attribute__((format_arg(1), format_arg(2)));
