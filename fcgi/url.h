/* URLs to which KakaoPay sends the user back. roompay never fetches them, but users who pay are
 * sent there: only the site's own are accepted. */
#pragma once

#include "json/field.h"
#include "site/conf.h"

/* The URL must be absolute https with an ASCII host. http is allowed to loopback hosts, and with
 * redirect_http. User info, fragment, blanks, backslashes and controls are not. If redirect_hosts
 * is configured, the host must be one of them. Returns FIELD__OK, FIELD_URL, FIELD_URL_HTTPS or
 * FIELD_URL_HOST. */
enum field_code url_check(const char *url, const struct conf *conf);

/* The URL of an app ("studyroom://paid"): any scheme but those that a browser would execute. http
 * and https: as above. */
enum field_code url_check_scheme(const char *url, const struct conf *conf);

/* Makes scheme and host of an http or https URL lower case, in place. They mean the same, but
 * KakaoPay may not know that. Any other URL stays as it is. */
void url_lower_host(char *url);
