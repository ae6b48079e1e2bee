/* URLs to which KakaoPay sends a user back. We never fetch them; whoever pays will be sent there, so they are ours or refused. */
#pragma once

#include "base/conf.h"
#include "json/field.h"

/* Absolute https with an ASCII host; http only to a loopback host, or where the configuration says so; no user info, fragment, blank, backslash or control;
 * the host is one of redirect_hosts where there are any. FIELD__OK, or FIELD_URL, FIELD_URL_HTTPS, FIELD_URL_HOST. */
enum field_code url_check(const char *url, const struct conf *conf);

/* The URL of an app ("studyroom://paid"): any scheme but those that run something in a browser; http and https as above. */
enum field_code url_check_scheme(const char *url, const struct conf *conf);

/* Scheme and host of an http or https URL in lower case, in place: they mean the same in any case, but not every reader of KakaoPay's knows. Another URL stays. */
void url_lower_host(char *url);
