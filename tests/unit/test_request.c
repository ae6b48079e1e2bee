/* Bodies, URLs, times and tokens: what is taken, and every wrong field with its pointer and code.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>
#include <openssl/sha.h>

#include "fcgi/caller.h"
#include "fcgi/console_request.h"
#include "fcgi/request.h"
#include "fcgi/schedule.h"
#include "fcgi/url.h"
#include "json/strict.h"

static struct conf conf;

#define PAY_REST \
	"\"partner_user_id\":\"p\",\"item_name\":\"\xec\x8a\xa4\xed\x84\xb0\xeb\x94\x94\xeb\xa3\xb8\",\"quantity\":1,\"total_amount\":2200," \
	"\"tax_free_amount\":0,\"approval_url\":\"https://s.example/ok\",\"cancel_url\":\"https://s.example/c\",\"fail_url\":\"https://s.example/f\""
#define PAY "\"cid\":\"TC0ONETIME\",\"partner_order_id\":\"o-1\"," PAY_REST
#define ROOM "\"roomId\":\"0123456789abcdefABCDEF01\""
#define TIMES "\"day\":[1],\"startTime\":[10],\"endTime\":[12]"
#define USER "\"userInfo\":{\"userId\":\"u-1\"}"
#define BODY(user, pay, times) \
	"{" user ",\"paymentInfo\":{" pay "},\"reservationInfo\":{" times "}}"

static int
set_up(void **state)
{
	(void)state;
	memset(&conf, 0, sizeof(conf));
	conf.n_merchants = 2;
	snprintf(conf.merchants[0].cid, CID_CAP, "TC0ONETIME");
	snprintf(conf.merchants[1].cid, CID_CAP, "USERTOKEN1");
	conf.merchants[1].mode = MODE_USER_TOKEN;
	return 0;
}

/* "pointer code, pointer code"; "" when all is well. */
static const char *
join(const struct field_errors *errors)
{
	static char all[20000];
	size_t len = 0;

	all[0] = '\0';
	for (size_t i = 0; i < errors->n; i++)
		len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s %s", i > 0 ? ", " : "",
		    errors->e[i].pointer, field_code_name(errors->e[i].code));
	return all;
}

static const char *
read_ready(const char *body, struct request_ready *out)
{
	struct field_errors errors = { 0 };
	struct error err = { 0 };
	enum request_verdict v = request_read_ready(&conf, body, strlen(body), out, &errors, &err);
	const char *all = join(&errors);

	if (v == REQUEST_MALFORMED)
		all = "malformed";
	else
		assert_int_equal(v, errors.n > 0 ? REQUEST_WRONG_FIELDS : REQUEST_OK);
	field_errors_clear(&errors);
	return all;
}

static void
expect_ready(const char *body, const char *errors)
{
	static struct request_ready r;
	const char *got = read_ready(body, &r);

	if (strcmp(got, errors) != 0)
		fail_msg("%s\ngave \"%s\"\nnot  \"%s\"", body, got, errors);
	request_ready_clear(&r);
}

static void
each_wrong_field_of_pay_ready(void **state)
{
	static const struct {
		const char *body, *errors;
	} rows[] = {
		{ BODY(USER, PAY, TIMES "," ROOM), "" },
		{ BODY("\"userId\":\"u-1\"", PAY, TIMES "," ROOM), "" },
		{ BODY("\"userId\":\"u-1\",\"userInfo\":{\"nick\":\"n\"}", PAY, TIMES "," ROOM),
		    "" },
		{ BODY("\"userInfo\":{\"userId\":\"u\",\"kakaoAccessToken\":7,\"more\":[]}", PAY,
		      TIMES "," ROOM),
		    "" },
		{ BODY("\"userId\":\"u-1\"," USER, PAY, TIMES "," ROOM), "/userId both-spellings" },
		{ BODY("\"userInfo\":{}", PAY, TIMES "," ROOM), "/userInfo/userId required" },
		{ BODY("\"userInfo\":7", PAY, TIMES "," ROOM), "/userInfo type" },
		{ BODY("\"userInfo\":{\"userId\":\"\"}", PAY, TIMES "," ROOM),
		    "/userInfo/userId too-short" },
		{ BODY("\"userInfo\":{\"userId\":7}", PAY, TIMES "," ROOM),
		    "/userInfo/userId type" },
		{ BODY("\"x\":1," USER, PAY, TIMES "," ROOM), "/x unknown-member" },
		{ "{}",
		    "/paymentInfo required, /reservationInfo required, /userInfo/userId required" },
		{ "[]", "malformed" },
		{ "", "malformed" },
		{ BODY(USER, PAY ",\"cid\":\"TC0ONETIME\"", TIMES "," ROOM), "malformed" },
		{ BODY(USER, "\"partner_order_id\":\"o\"," PAY_REST, TIMES "," ROOM),
		    "/paymentInfo/cid required" },
		{ BODY(USER, "\"cid\":\"TC0ONETIM\",\"partner_order_id\":\"o\"," PAY_REST,
		      TIMES "," ROOM),
		    "/paymentInfo/cid too-short" },
		{ BODY(USER, "\"cid\":\"TC0ONETIMEX\",\"partner_order_id\":\"o\"," PAY_REST,
		      TIMES "," ROOM),
		    "/paymentInfo/cid too-long" },
		{ BODY(USER, "\"cid\":\"TC0 NETIME\",\"partner_order_id\":\"o\"," PAY_REST,
		      TIMES "," ROOM),
		    "/paymentInfo/cid character" },
		{ BODY(USER, "\"cid\":\"TC0ONETIME\",\"partner_order_id\":\"\"," PAY_REST,
		      TIMES "," ROOM),
		    "/paymentInfo/partner_order_id too-short" },
		{ BODY(USER, PAY ",\"cid_secret\":\"x\"", TIMES "," ROOM),
		    "/paymentInfo/cid_secret not-allowed" },
		{ BODY(USER, PAY ",\"no/such\":1", TIMES "," ROOM),
		    "/paymentInfo/no~1such unknown-member" },
		{ BODY(USER, PAY ",\"vat_amount\":2200", TIMES "," ROOM), "" },
		{ BODY(USER, PAY ",\"vat_amount\":2201", TIMES "," ROOM),
		    "/paymentInfo/vat_amount out-of-range" },
		{ BODY(USER, PAY ",\"vat_amount\":-1", TIMES "," ROOM),
		    "/paymentInfo/vat_amount out-of-range" },
		{ BODY(USER, PAY ",\"install_month\":12,\"green_deposit\":0", TIMES "," ROOM), "" },
		{ BODY(USER, PAY ",\"install_month\":13", TIMES "," ROOM),
		    "/paymentInfo/install_month out-of-range" },
		{ BODY(USER,
		      PAY ",\"payment_method_type\":\"MONEY\",\"use_share_installment\":\"N\"",
		      TIMES "," ROOM),
		    "" },
		{ BODY(USER,
		      PAY ",\"payment_method_type\":\"BANK\",\"use_share_installment\":\"y\"",
		      TIMES "," ROOM),
		    "/paymentInfo/payment_method_type unknown-word, /paymentInfo/use_share_installment unknown-word" },
		{ BODY(USER, PAY ",\"available_cards\":[\"HANA\",\"BC\"]", TIMES "," ROOM), "" },
		{ BODY(USER, PAY ",\"available_cards\":[]", TIMES "," ROOM),
		    "/paymentInfo/available_cards too-short" },
		{ BODY(USER, PAY ",\"available_cards\":\"HANA\"", TIMES "," ROOM),
		    "/paymentInfo/available_cards type" },
		{ BODY(USER, PAY ",\"available_cards\":[\"HANA\",7,\"VISA\"]", TIMES "," ROOM),
		    "/paymentInfo/available_cards/1 type, /paymentInfo/available_cards/2 unknown-word" },
		{ BODY(USER, PAY ",\"custom_json\":{\"return_custom_url\":\"app://x\"}",
		      TIMES "," ROOM),
		    "" },
		{ BODY(USER, PAY ",\"custom_json\":{\"a\":1,\"b\":\"x\"}", TIMES "," ROOM),
		    "/paymentInfo/custom_json/a type" },
		{ BODY(USER, PAY ",\"custom_json\":[]", TIMES "," ROOM),
		    "/paymentInfo/custom_json type" },
		{ BODY(USER, PAY ",\"custom_json\":{\"a\":\"x\\u202ey\",\"\\u200b\":\"\"}",
		      TIMES "," ROOM),
		    "/paymentInfo/custom_json/a character, /paymentInfo/custom_json/\u200b character" },
		{ BODY(USER, PAY ",\"item_code\":\"\\u0085\"", TIMES "," ROOM),
		    "/paymentInfo/item_code character" },
		{ BODY(USER, "\"cid\":\"TC0ONETIME\",\"partner_order_id\":\"\\u3000 \"," PAY_REST,
		      TIMES "," ROOM),
		    "/paymentInfo/partner_order_id blank" },
		{ BODY("\"userId\":\"u\\u2066\"", PAY, TIMES "," ROOM), "/userId character" },
		{ BODY(USER, PAY, TIMES "," ROOM ",\"memo\":\"\\t1\\r\\n2\",\"empty\":\"\""), "" },
		{ BODY(USER, PAY,
		      TIMES "," ROOM
			    ",\"memo\":[{\"a/b\":\"\\u009b2J\"}],\"\\u2028\":1,\"x\":\"\\ufdd0\""),
		    "/reservationInfo/memo/0/a~1b character, /reservationInfo/\u2028 character, /reservationInfo/x character" },
		{ BODY(USER, PAY ",\"redirect_scheme_url\":\"studyroom://paid\"", TIMES "," ROOM),
		    "" },
		{ BODY(USER, PAY ",\"redirect_scheme_url\":\"javascript://x\"", TIMES "," ROOM),
		    "/paymentInfo/redirect_scheme_url url" },
		{ BODY(USER, PAY, TIMES), "/reservationInfo/roomId required" },
		{ BODY(USER, PAY, TIMES ",\"roomId\":\"0123456789abcdefABCDEF0\""),
		    "/reservationInfo/roomId too-short" },
		{ BODY(USER, PAY, TIMES ",\"roomId\":\"0123456789abcdefABCDEF0g\""),
		    "/reservationInfo/roomId format" },
		{ BODY(USER, PAY, ROOM),
		    "/reservationInfo/startTime required, /reservationInfo/endTime required, /reservationInfo/day required" },
		{ BODY(USER, PAY, TIMES "," ROOM ",\"note\":{\"any\":[1,2]}"), "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_ready(rows[i].body, rows[i].errors);
}

static void
amounts_must_fit_each_other(void **state)
{
	static const struct {
		const char *amounts, *errors;
	} rows[] = {
		{ "1,\"tax_free_amount\":0", "" },
		{ "1,\"tax_free_amount\":1", "" },
		{ "1000000000,\"tax_free_amount\":0", "" },
		{ "1000000001,\"tax_free_amount\":0", "/paymentInfo/total_amount out-of-range" },
		{ "0,\"tax_free_amount\":0", "/paymentInfo/total_amount out-of-range" },
		{ "1,\"tax_free_amount\":2", "/paymentInfo/tax_free_amount out-of-range" },
		{ "100,\"tax_free_amount\":60,\"vat_amount\":40", "" },
		{ "100,\"tax_free_amount\":60,\"vat_amount\":41",
		    "/paymentInfo/vat_amount out-of-range" },
		{ "100.0,\"tax_free_amount\":0e9", "" },
		{ "1.1e4,\"tax_free_amount\":0.1e1,\"vat_amount\":1E3", "" },
		{ "100.5,\"tax_free_amount\":1e-1",
		    "/paymentInfo/total_amount type, /paymentInfo/tax_free_amount type" },
		{ "1e400,\"tax_free_amount\":-1e400",
		    "/paymentInfo/total_amount out-of-range, /paymentInfo/tax_free_amount out-of-range" },
		{ "100,\"tax_free_amount\":0,\"green_deposit\":100", "" },
		{ "100,\"tax_free_amount\":0,\"green_deposit\":101",
		    "/paymentInfo/green_deposit out-of-range" },
		{ "\"100\",\"tax_free_amount\":0", "/paymentInfo/total_amount type" },
		{ "18446744073709551616,\"tax_free_amount\":0",
		    "/paymentInfo/total_amount out-of-range" },
	};
	char body[2000];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(body, sizeof(body),
		    "{" USER
		    ",\"paymentInfo\":{\"cid\":\"TC0ONETIME\",\"partner_order_id\":\"o\",\"partner_user_id\":\"p\","
		    "\"item_name\":\"i\",\"quantity\":1,\"approval_url\":\"https://s.example\",\"cancel_url\":\"https://s.example\","
		    "\"fail_url\":\"https://s.example\",\"total_amount\":%s},\"reservationInfo\":{" TIMES
		    "," ROOM "}}",
		    rows[i].amounts);
		expect_ready(body, rows[i].errors);
	}
}

/* The boundaries of times; what comes out in minutes of the week, or the errors. */
static void
times_of_reservation_info(void **state)
{
	static const struct {
		bool minutes;
		const char *times, *out;
	} rows[] = {
		{ false, "\"day\":[1],\"startTime\":[0],\"endTime\":[24]", "1440-2880" },
		{ false, "\"day\":[0],\"startTime\":[9.5],\"endTime\":[9.75]", "570-585" },
		{ false, "\"day\":[7],\"startTime\":[0],\"endTime\":[1]", "0-60" },
		{ false, "\"day\":[6],\"startTime\":[23],\"endTime\":[24.0]", "10020-10080" },
		{ false, "\"day\":[0],\"startTime\":[9.1],\"endTime\":[9.2]", "546-552" },
		{ false, "\"day\":[0],\"startTime\":[9.333333333],\"endTime\":[1e1]", "560-600" },
		{ false, "\"day\":[2,1],\"startTime\":9,\"endTime\":10", "1980-2040,3420-3480" },
		{ false, "\"days\":[1],\"startTime\":9,\"endTime\":[10]", "1980-2040" },
		{ false, "\"day\":[1,1],\"startTime\":[8,10],\"endTime\":[10,12]",
		    "1920-2040,2040-2160" },
		{ true, "\"day\":[1],\"startTime\":[0],\"endTime\":[1440]", "1440-2880" },
		{ true, "\"day\":[0],\"startTime\":[1],\"endTime\":[2]", "1-2" },
		{ true, "\"day\":[1],\"startTime\":[0.5],\"endTime\":[1441]",
		    "/r/startTime/0 not-whole-minutes, /r/endTime/0 out-of-range" },
		{ false, "\"day\":[8,-1,1.5,\"1\",1e99],\"startTime\":1,\"endTime\":2",
		    "/r/day/0 out-of-range, /r/day/1 out-of-range, /r/day/2 type, /r/day/3 type, /r/day/4 out-of-range" },
		{ false, "\"day\":[1.0,2e0],\"startTime\":[95e-1,0.0],\"endTime\":[1.0E1,2.4e1]",
		    "2010-2040,2880-4320" },
		{ false, "\"day\":[99999999999],\"startTime\":1,\"endTime\":2",
		    "/r/day/0 out-of-range" },
		{ false, "\"day\":[],\"startTime\":[],\"endTime\":[]", "/r/day too-short" },
		{ false, "\"day\":1,\"startTime\":[1],\"endTime\":[2]", "/r/day type" },
		{ false, "\"day\":[1],\"days\":[1],\"startTime\":[1],\"endTime\":[2]",
		    "/r/days both-spellings" },
		{ false, "\"day\":[1],\"startTime\":[10,11],\"endTime\":[]",
		    "/r/startTime unequal-lengths, /r/endTime unequal-lengths" },
		{ false, "\"day\":[1],\"startTime\":[-0.5],\"endTime\":[24.5]",
		    "/r/startTime/0 out-of-range, /r/endTime/0 out-of-range" },
		{ false, "\"day\":[1],\"startTime\":[-1],\"endTime\":[1e300]",
		    "/r/startTime/0 out-of-range, /r/endTime/0 out-of-range" },
		{ false, "\"day\":[1],\"startTime\":[\"10\"],\"endTime\":[null]",
		    "/r/startTime/0 type, /r/endTime/0 type" },
		{ false, "\"day\":[1],\"startTime\":\"10\",\"endTime\":true",
		    "/r/startTime type, /r/endTime type" },
		{ false, "\"day\":[1],\"startTime\":[9],\"endTime\":[11.999]",
		    "/r/endTime/0 not-whole-minutes" },
		{ false, "\"day\":[1],\"startTime\":[9.3333],\"endTime\":[12]",
		    "/r/startTime/0 not-whole-minutes" },
		{ false, "\"day\":[1],\"startTime\":[12],\"endTime\":[12]",
		    "/r/startTime/0 start-not-before-end" },
		{ false, "\"day\":[1,2],\"startTime\":[9,22],\"endTime\":[10,2]",
		    "/r/startTime/1 start-not-before-end" },
		{ false, "\"day\":[1,2],\"startTime\":22,\"endTime\":2",
		    "/r/startTime start-not-before-end" },
		{ false, "\"day\":[1],\"startTime\":[24],\"endTime\":[24]",
		    "/r/startTime/0 start-not-before-end" },
		{ false, "\"day\":[1,1],\"startTime\":[10,11],\"endTime\":[12,13]",
		    "/r/day/1 overlap" },
		{ false, "\"day\":[0,7],\"startTime\":[10,11],\"endTime\":[12,13]",
		    "/r/day/1 overlap" },
		{ false, "\"day\":[1,1],\"startTime\":9,\"endTime\":10", "/r/day/1 overlap" },
	};
	char room[ROOM_CAP], text[500];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct interval_set set = { .n = 0 };
		struct field_errors errors = { 0 };
		struct buf out = BUF_INIT;
		struct json_object *o;

		conf.time_unit_minute = rows[i].minutes;
		snprintf(text, sizeof(text), "{%s,\"other\":1," ROOM "}", rows[i].times);
		assert_true(strict_parse_object(text, strlen(text), STRICT_DEPTH, &o, NULL));
		schedule_read(o, "/r", &conf, &set, room, &errors);
		if (errors.n == 0) {
			interval_set_format(&set, &out);
			assert_string_equal(room, "0123456789abcdefabcdef01");
		}
		if (strcmp(errors.n > 0 ? join(&errors) : buf_str(&out), rows[i].out) != 0)
			fail_msg("%s gave \"%s\", not \"%s\"", rows[i].times,
			    errors.n > 0 ? join(&errors) : buf_str(&out), rows[i].out);
		buf_clear(&out);
		field_errors_clear(&errors);
		json_object_put(o);
	}
	conf.time_unit_minute = false;
}

static void
sixty_four_intervals_and_not_one_more(void **state)
{
	static struct request_ready r;
	char days[400] = "", body[2000];

	(void)state;
	for (int i = 0; i < 65; i++)
		snprintf(days + strlen(days), sizeof(days) - strlen(days), "%s1", i > 0 ? "," : "");
	snprintf(body, sizeof(body),
	    BODY(USER, PAY, "\"day\":[%s],\"startTime\":1,\"endTime\":2," ROOM), days);
	expect_ready(body, "/reservationInfo/day too-long");
	days[strlen(days) - 2] = '\0'; /* 64: too many for the clock, not for the array */
	snprintf(body, sizeof(body),
	    BODY(USER, PAY, "\"day\":[%s],\"startTime\":1,\"endTime\":2," ROOM), days);
	assert_non_null(strstr(read_ready(body, &r), "overlap"));
	request_ready_clear(&r);
}

static void
minutes_go_back_in_the_sites_unit(void **state)
{
	static const struct {
		bool minutes;
		struct interval iv;
		const char *text;
	} rows[] = {
		{ false, { 0, 1440 }, "{\"day\":0,\"startTime\":0,\"endTime\":24" },
		{ false, { 4980, 5040 }, "{\"day\":3,\"startTime\":11,\"endTime\":12" },
		{ false, { 9330, 10080 }, "{\"day\":6,\"startTime\":11.5,\"endTime\":24" },
		{ false, { 546, 561 }, "{\"day\":0,\"startTime\":9.1,\"endTime\":9.35" },
		{ false, { 560, 600 }, "{\"day\":0,\"startTime\":9.333333333,\"endTime\":10" },
		{ true, { 1501, 2880 }, "{\"day\":1,\"startTime\":61,\"endTime\":1440" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = BUF_INIT;

		conf.time_unit_minute = rows[i].minutes;
		buf_add_char(&out, '{');
		schedule_add_interval(&out, rows[i].iv, &conf);
		assert_string_equal(buf_str(&out), rows[i].text);
		buf_clear(&out);
	}
	conf.time_unit_minute = false;
}

static void
redirect_urls(void **state)
{
	static const struct {
		const char *url;
		enum field_code hosts_any, hosts_listed, http_allowed;
	} rows[] = {
		{ "https://study.example.com/ok?o=1", FIELD__OK, FIELD__OK, FIELD__OK },
		{ "HTTPS://Study.Example.com:8443/ok", FIELD__OK, FIELD__OK, FIELD__OK },
		{ "https://study.example.com", FIELD__OK, FIELD__OK, FIELD__OK },
		{ "https://study.example.com?x", FIELD__OK, FIELD__OK, FIELD__OK },
		{ "https://evil.example.com/ok", FIELD__OK, FIELD_URL_HOST, FIELD__OK },
		{ "https://study.example.com.evil.net/", FIELD__OK, FIELD_URL_HOST, FIELD__OK },
		{ "http://study.example.com/ok", FIELD_URL_HTTPS, FIELD_URL_HTTPS, FIELD__OK },
		{ "http://localhost:3000/ok", FIELD__OK, FIELD_URL_HOST, FIELD__OK },
		{ "http://127.0.0.1/ok", FIELD__OK, FIELD_URL_HOST, FIELD__OK },
		{ "http://[::1]:80/ok", FIELD__OK, FIELD_URL_HOST, FIELD__OK },
		{ "http://127.evil.net/ok", FIELD_URL_HTTPS, FIELD_URL_HTTPS, FIELD__OK },
		{ "http://127.1/ok", FIELD_URL_HTTPS, FIELD_URL_HTTPS, FIELD__OK },
		{ "http://localhost.evil.net/ok", FIELD_URL_HTTPS, FIELD_URL_HTTPS, FIELD__OK },
		{ "https://u:p@study.example.com/", FIELD_URL, FIELD_URL, FIELD_URL },
		{ "https://study.example.com@evil.net/", FIELD_URL, FIELD_URL, FIELD_URL },
		{ "https://study.example.com/#part", FIELD_URL, FIELD_URL, FIELD_URL },
		{ "https://study.example.com/a b", FIELD_URL, FIELD_URL, FIELD_URL },
		{ "https://study.example.com\\@evil.net/", FIELD_URL, FIELD_URL, FIELD_URL },
		{ "https://\xed\x95\x9c.example/", FIELD_URL, FIELD_URL, FIELD_URL },
		{ "https:///ok", FIELD_URL, FIELD_URL, FIELD_URL },
		{ "https://-a.example/", FIELD_URL, FIELD_URL, FIELD_URL },
		{ "https://a.example:0/", FIELD_URL, FIELD_URL, FIELD_URL },
		{ "https://a.example:65536/", FIELD_URL, FIELD_URL, FIELD_URL },
		{ "https://a.example:/", FIELD_URL, FIELD_URL, FIELD_URL },
		{ "https://[::1/", FIELD_URL, FIELD_URL, FIELD_URL },
		{ "javascript:alert(1)", FIELD_URL_HTTPS, FIELD_URL_HTTPS, FIELD_URL_HTTPS },
		{ "https:/one.slash/", FIELD_URL_HTTPS, FIELD_URL_HTTPS, FIELD_URL_HTTPS },
		{ "/relative", FIELD_URL, FIELD_URL, FIELD_URL },
		{ "//study.example.com/", FIELD_URL, FIELD_URL, FIELD_URL },
	};
	static struct conf any, listed, http;

	(void)state;
	listed.n_url_hosts = 1;
	snprintf(listed.url_hosts[0], CONF_PATH_CAP, "study.example.com");
	http.url_http = true;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (url_check(rows[i].url, &any) != rows[i].hosts_any ||
		    url_check(rows[i].url, &listed) != rows[i].hosts_listed ||
		    url_check(rows[i].url, &http) != rows[i].http_allowed)
			fail_msg("%s: %s, %s, %s", rows[i].url,
			    field_code_name(url_check(rows[i].url, &any)),
			    field_code_name(url_check(rows[i].url, &listed)),
			    field_code_name(url_check(rows[i].url, &http)));
	assert_int_equal(url_check("http://127.999.9.9/ok", &any), FIELD_URL_HTTPS);
	assert_int_equal(url_check("http://127.0.0/ok", &any), FIELD_URL_HTTPS);
	assert_int_equal(url_check_scheme("studyroom://paid?x=1", &any), FIELD__OK);
	assert_int_equal(url_check_scheme("https://evil.example/", &listed), FIELD_URL_HOST);
	assert_int_equal(url_check_scheme("JavaScript://%0aalert(1)", &any), FIELD_URL);
	assert_int_equal(url_check_scheme("data:text/html,x", &any), FIELD_URL);
	assert_int_equal(url_check_scheme("no-scheme", &any), FIELD_URL);
}

/* What is sent says the same in the spelling that every reader takes. */
static void
scheme_and_host_go_out_in_lower_case(void **state)
{
	static const struct {
		const char *given, *sent;
	} rows[] = {
		{ "HTTPS://SITE.EXAMPLE/OK?A=B", "https://site.example/OK?A=B" },
		{ "Https://Site.Example:8443?Q", "https://site.example:8443?Q" },
		{ "HTTP://LocalHost", "http://localhost" },
		{ "https://[FE80::1]/X", "https://[fe80::1]/X" },
		{ "StudyRoom://Paid", "StudyRoom://Paid" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char url[100];

		snprintf(url, sizeof(url), "%s", rows[i].given);
		url_lower_host(url);
		assert_string_equal(url, rows[i].sent);
	}
}

static void
the_users_token_is_asked_for_in_its_mode_alone(void **state)
{
	static struct request_ready r;
	static const struct {
		const char *user, *errors;
	} rows[] = {
		{ "{\"userId\":\"u\",\"kakaoAccessToken\":\"aZ09._~+/=-\"}", "" },
		{ "{\"userId\":\"u\"}", "/userInfo/kakaoAccessToken required" },
		{ "{\"userId\":\"u\",\"kakaoAccessToken\":\"\"}",
		    "/userInfo/kakaoAccessToken too-short" },
		{ "{\"userId\":\"u\",\"kakaoAccessToken\":7}", "/userInfo/kakaoAccessToken type" },
		{ "{\"userId\":\"u\",\"kakaoAccessToken\":\"a b\"}",
		    "/userInfo/kakaoAccessToken character" },
		{ "{\"userId\":\"u\",\"kakaoAccessToken\":\"a\\r\\nX: y\"}",
		    "/userInfo/kakaoAccessToken character" },
	};
	char body[2000];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(body, sizeof(body),
		    "{\"userInfo\":%s,\"paymentInfo\":{\"cid\":\"USERTOKEN1\",\"partner_order_id\":\"o\"," PAY_REST
		    "},\"reservationInfo\":{" TIMES "," ROOM "}}",
		    rows[i].user);
		assert_string_equal(read_ready(body, &r), rows[i].errors);
		if (i == 0)
			assert_string_equal(r.rq.ready.user_token, "aZ09._~+/=-");
		request_ready_clear(&r);
		assert_null(r.rq.ready.user_token);
	}
}

static void
what_a_right_body_becomes(void **state)
{
	static struct request_ready r;
	const struct attempt *a = &r.rq.attempt;

	(void)state;
	assert_string_equal(
	    read_ready(
		BODY(USER,
		    PAY
		    ",\"vat_amount\":200,\"available_cards\":[ \"HANA\" ],\"custom_json\":{ \"k\":\"v/w\" }",
		    TIMES " , " ROOM ",\"x\": \"a b\""),
		&r),
	    "");
	assert_string_equal(a->cid, "TC0ONETIME");
	assert_string_equal(a->user_id, "u-1");
	assert_string_equal(a->room_id, "0123456789abcdefabcdef01");
	assert_string_equal(a->reservation_info, "{" TIMES "," ROOM ",\"x\":\"a b\"}");
	assert_int_equal(a->vat_amount, 200);
	assert_string_equal(r.rq.ready.available_cards, "[\"HANA\"]");
	assert_string_equal(r.rq.ready.custom_json, "{\"k\":\"v/w\"}");
	assert_int_equal(r.rq.ready.install_month, -1);
	assert_int_equal(r.rq.ready.green_deposit, -1);
	assert_null(r.rq.ready.user_token);
	assert_int_equal(r.rq.set.n, 1);
	assert_int_equal(strlen(r.rq.fingerprint), 64);
	request_ready_clear(&r);
}

static void
the_calendars_members_are_bounded_in_all(void **state)
{
	static const char head[] = BODY(USER, PAY, TIMES "," ROOM ",\"x\":\"%s\"");
	static char x[2100], body[4000];
	size_t frame = strlen("{" TIMES "," ROOM ",\"x\":\"\"}");

	(void)state;
	memset(x, 'y', RESERVATION_INFO_MAX - frame);
	snprintf(body, sizeof(body), head, x);
	expect_ready(body, "");
	strcat(x, "y");
	snprintf(body, sizeof(body), head, x);
	expect_ready(body, "/reservationInfo too-long");
}

static void
fingerprint_of(const char *body, char out[KEY_CAP])
{
	static struct request_ready r;

	assert_string_equal(read_ready(body, &r), "");
	memcpy(out, r.rq.fingerprint, KEY_CAP);
	request_ready_clear(&r);
}

static void
the_fingerprint_is_of_the_business_fields_and_of_nothing_else(void **state)
{
	static const char base[] = BODY(USER, PAY, TIMES "," ROOM);
	static const struct {
		const char *from, *to;
		bool same;
	} rows[] = {
		{ "https://s.example/ok", "https://s.example/elsewhere", true },
		{ "\"userId\":\"u-1\"", "\"userId\":\"u-1\",\"kakaoAccessToken\":\"t\"", true },
		{ "\"day\":[1],", "\"day\": [1], ", true },
		{ "\"userId\":\"u-1\"", "\"userId\":\"u-2\"", false },
		{ "\"o-1\"", "\"o-2\"", false },
		{ "\"o-1\",\"partner_user_id\":\"p\"", "\"o-\",\"partner_user_id\":\"1p\"",
		    false }, /* the same letters, cut elsewhere */
		{ "\"partner_user_id\":\"p\"", "\"partner_user_id\":\"q\"", false },
		{ "\"quantity\":1", "\"quantity\":2", false },
		{ "2200", "2201", false },
		{ "\"tax_free_amount\":0", "\"tax_free_amount\":1", false },
		{ "\"tax_free_amount\":0", "\"tax_free_amount\":0,\"vat_amount\":0", false },
		{ "\"tax_free_amount\":0", "\"tax_free_amount\":0,\"green_deposit\":0", false },
		{ "\"tax_free_amount\":0", "\"tax_free_amount\":0,\"item_code\":\"i\"", false },
		{ "\"endTime\":[12]", "\"endTime\":[13]", false },
		{ "\"endTime\":[12]", "\"endTime\":[12],\"note\":1", false },
		{ "\"endTime\":[12]", "\"endTime\":[1.2e1]", true },
		{ "\"day\":[1],\"startTime\":[10]", "\"startTime\":[10.0],\"day\":[1]", true },
		{ "\"quantity\":1", "\"quantity\":1.0", true },
		{ "2200", "22e2", true },
		{ "\"o-1\"", "\"\\u006f-1\"", true },
	};
	char first[KEY_CAP], other[KEY_CAP], body[3000];

	(void)state;
	fingerprint_of(base, first);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *at = strstr(base, rows[i].from);

		assert_non_null(at);
		snprintf(body, sizeof(body), "%.*s%s%s", (int)(at - base), base, rows[i].to,
		    at + strlen(rows[i].from));
		fingerprint_of(body, other);
		if ((strcmp(first, other) == 0) != rows[i].same)
			fail_msg("%s to %s: %s", rows[i].from, rows[i].to,
			    rows[i].same ? "another fingerprint" : "the same fingerprint");
	}
}

/* The base body with one member of paymentInfo changed or added. */
static void
fingerprint_with(const char *name, const char *value, char out[KEY_CAP])
{
	static const char base[] = BODY(USER, PAY, TIMES "," ROOM);
	struct json_object *o = json_tokener_parse(base), *info, *v = json_tokener_parse(value);

	assert_non_null(v);
	assert_true(json_object_object_get_ex(o, "paymentInfo", &info));
	json_object_object_add(info, name, v);
	fingerprint_of(json_object_to_json_string(o), out);
	json_object_put(o);
}

/* Walks the table of rules: a new member without a row here fails, so nobody can forget to think
 * about it. */
static void
each_member_is_compared_unless_its_rule_says_no(void **state)
{
	static const struct {
		const char *name, *other;
		bool compared;
	} rows[] = {
		{ "cid", "\"USERTOKEN2\"", true },
		{ "partner_order_id", "\"o-2\"", true },
		{ "partner_user_id", "\"q\"", true },
		{ "item_name", "\"x\"", true },
		{ "quantity", "2", true },
		{ "total_amount", "2201", true },
		{ "tax_free_amount", "1", true },
		{ "item_code", "\"c\"", true },
		{ "vat_amount", "0", true },
		{ "green_deposit", "0", true },
		{ "install_month", "0", true },
		{ "payment_method_type", "\"CARD\"", true },
		{ "use_share_installment", "\"N\"", true },
		{ "redirect_scheme_url", "\"app://x\"", true },
		{ "available_cards", "[\"BC\"]", true },
		{ "custom_json", "{}", true },
		{ "approval_url", "\"https://s.example/2\"", false },
		{ "cancel_url", "\"https://s.example/2\"", false },
		{ "fail_url", "\"https://s.example/2\"", false },
	};
	enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };
	char base[KEY_CAP], other[KEY_CAP];
	const struct field_rule *r;
	size_t n = 0;

	(void)state;
	fingerprint_with("cid", "\"TC0ONETIME\"", base);
	for (size_t i = 0; (r = request_ready_rule(i)) != NULL; i++) {
		size_t k = 0;

		if (r->type == FIELD_REFUSED)
			continue;
		while (k < N_ROWS && strcmp(rows[k].name, r->name) != 0)
			k++;
		if (k == N_ROWS)
			fail_msg("no row says whether %s is compared", r->name);
		fingerprint_with(r->name, rows[k].other, other);
		if ((strcmp(base, other) != 0) != rows[k].compared)
			fail_msg("%s is %s", r->name,
			    rows[k].compared ? "not compared" : "compared");
		n++;
	}
	assert_int_equal(n, N_ROWS);
}

static void
approve_and_remove(void **state)
{
#define PLACE "\"userId\":\"u\",\"roomId\":\"0123456789ABCDEF01234567\""
	static const struct {
		bool approve;
		const char *body, *errors;
	} rows[] = {
		{ true, "{\"pg_token\":\"abc\"," PLACE "}", "" },
		{ true, "{" PLACE "}", "/pg_token required" },
		{ true, "{\"pg_token\":\"\"," PLACE "}", "/pg_token too-short" },
		{ true, "{\"pg_token\":\"a b\"," PLACE "}", "/pg_token character" },
		{ true, "{\"pg_token\":\"\xea\xb0\x80\"," PLACE "}", "/pg_token character" },
		{ true, "{\"pg_token\":\"a\",\"tid\":\"T1\"," PLACE "}", "/tid unknown-member" },
		{ true, "{\"pg_token\":7,\"userId\":\"\",\"roomId\":\"x\"}",
		    "/pg_token type, /userId too-short, /roomId too-short" },
		{ true, "nope", "malformed" },
		{ false, "{" PLACE "}", "" },
		{ false, "{\"tid\":\"T123456789012345678A\"," PLACE "}", "" },
		{ false, "{\"tid\":\"T123456789012345678AB\"," PLACE "}", "/tid too-long" },
		{ false, "{\"tid\":\"\"," PLACE "}", "/tid too-short" },
		{ false, "{\"tid\":\"T-1\"," PLACE "}", "/tid character" },
		{ false, "{\"pg_token\":\"a\"," PLACE "}", "/pg_token unknown-member" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct field_errors errors = { 0 };
		struct request_approve ap;
		struct request_remove rm;
		struct error err = { 0 };
		const char *text = rows[i].body;
		enum request_verdict v = rows[i].approve
		    ? request_read_approve(text, strlen(text), &ap, &errors, &err)
		    : request_read_remove(text, strlen(text), &rm, &errors, &err);

		assert_string_equal(v == REQUEST_MALFORMED ? "malformed" : join(&errors),
		    rows[i].errors);
		if (v == REQUEST_OK)
			assert_string_equal(rows[i].approve ? ap.room_id : rm.room_id,
			    "0123456789abcdef01234567");
		field_errors_clear(&errors);
	}
}

static void
refunds(void **state)
{
#define REFUND "\"tid\":\"T1\",\"refundId\":\"r-1\",\"reason\":\"손님 요청\""
	static const struct {
		const char *body, *errors;
		int64_t amount, tax_free;
	} rows[] = {
		{ "{" REFUND "}", "", -1, -1 },
		{ "{" REFUND ",\"cancel_amount\":1000}", "", 1000, -1 },
		{ "{" REFUND ",\"cancel_amount\":1000,\"cancel_tax_free_amount\":0}", "", 1000, 0 },
		{ "{" REFUND ",\"cancel_amount\":1000,\"cancel_tax_free_amount\":1001}",
		    "/cancel_tax_free_amount out-of-range", 0, 0 },
		{ "{" REFUND ",\"cancel_tax_free_amount\":0}", "/cancel_amount required", 0, 0 },
		{ "{" REFUND ",\"cancel_amount\":0}", "/cancel_amount out-of-range", 0, 0 },
		{ "{" REFUND ",\"cancel_amount\":\"1000\"}", "/cancel_amount type", 0, 0 },
		{ "{" REFUND ",\"cid\":\"TC0ONETIME\"}", "/cid unknown-member", 0, 0 },
		{ "{}", "/tid required, /refundId required, /reason required", 0, 0 },
		{ "{\"tid\":\"T1\",\"refundId\":\"@outside\",\"reason\":\"x\"}",
		    "/refundId character", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct field_errors errors = { 0 };
		struct flow_refund_request rq;
		struct error err = { 0 };
		enum request_verdict v =
		    request_read_refund(rows[i].body, strlen(rows[i].body), &rq, &errors, &err);

		assert_string_equal(join(&errors), rows[i].errors);
		assert_int_equal(v, rows[i].errors[0] == '\0' ? REQUEST_OK : REQUEST_WRONG_FIELDS);
		if (v == REQUEST_OK) {
			assert_int_equal(rq.asked.amount, rows[i].amount);
			assert_int_equal(rq.asked.tax_free, rows[i].tax_free);
			assert_string_equal(rq.reason, "손님 요청");
		}
		field_errors_clear(&errors);
	}
}

static void
the_query_string_of_orders(void **state)
{
	static const struct {
		const char *query, *errors, *order;
	} rows[] = {
		{ "cid=TC0ONETIME&partner_order_id=o-1", "", "o-1" },
		{ "partner_order_id=%EC%A3%BC%EB%AC%B8+1%2B%26%3d%&cid=TC0ONETIME", "",
		    "주문 1+&=%" },
		{ "cid=TC0ONETIME", "/partner_order_id required", NULL },
		{ "cid=TC0&partner_order_id=", "/cid too-short, /partner_order_id too-short",
		    NULL },
		{ "cid=TC0ONETIME&partner_order_id=%ff", "/partner_order_id character", NULL },
		{ "cid=TC0ONETIME&partner_order_id=a%00b", "/partner_order_id character", NULL },
		{ "cid=TC0ONETIME&partner_order_id=a&partner_order_id=b",
		    "/partner_order_id both-spellings", NULL },
		{ "cid=TC0ONETIME&partner_order_id=a&tid=T1", "/tid unknown-member", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct field_errors errors = { 0 };
		struct request_order rq;

		request_read_order(rows[i].query, &rq, &errors);
		assert_string_equal(join(&errors), rows[i].errors);
		if (rows[i].order != NULL)
			assert_string_equal(rq.order, rows[i].order);
		field_errors_clear(&errors);
	}
}

static void
the_query_string_of_queue(void **state)
{
	static const struct {
		const char *query, *errors;
	} rows[] = {
		{ "roomId=0123456789ABCDEF01234567", "" },
		{ "&roomId=0123456789abcdef01234567&", "" },
		{ "", "/roomId required" },
		{ "roomId", "/roomId format" },
		{ "roomId=", "/roomId format" },
		{ "roomId=0123456789abcdef0123456", "/roomId format" },
		{ "roomId=0123456789abcdef012345678", "/roomId format" },
		{ "roomId=0123456789abcdef01234567&roomId=0123456789abcdef01234567",
		    "/roomId both-spellings" },
		{ "roomId=0123456789abcdef01234567&x=\xff", "/x unknown-member" },
		{ "\xff\x01=1", "/roomId required, /?? unknown-member" },
	};
	char room[ROOM_CAP];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct field_errors errors = { 0 };

		request_read_room(rows[i].query, room, &errors);
		assert_string_equal(join(&errors), rows[i].errors);
		if (errors.n == 0)
			assert_string_equal(room, "0123456789abcdef01234567");
		field_errors_clear(&errors);
	}
}

static void
a_caller_is_known_by_either_of_its_tokens(void **state)
{
	static const struct {
		const char *header;
		int caller;
	} rows[] = {
		{ "Bearer one", 0 },
		{ "bearer one", 0 },
		{ "Bearer  two", 0 },
		{ "Bearer two ", -1 },
		{ "Bearer three", 1 },
		{ "Bearer four", -1 },
		{ "Bearer ", -1 },
		{ "Bearer", -1 },
		{ "one", -1 },
		{ "Basic one", -1 },
		{ "Bearer one two", -1 },
		{ "", -1 },
		{ NULL, -1 },
	};
	static struct conf c;

	(void)state;
	c.n_callers = 2;
	c.callers[0].n_tokens = 2;
	c.callers[1].n_tokens = 1;
	SHA256((const unsigned char *)"one", 3, c.callers[0].token_sha256[0]);
	SHA256((const unsigned char *)"two", 3, c.callers[0].token_sha256[1]);
	SHA256((const unsigned char *)"three", 5, c.callers[1].token_sha256[0]);
	SHA256((const unsigned char *)"four", 4, c.callers[1].token_sha256[1]); /* beyond n_tokens
										 */
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct conf_caller *found = caller_find(&c, rows[i].header);

		if ((found == NULL ? -1 : (int)(found - c.callers)) != rows[i].caller)
			fail_msg("\"%s\" is caller %d", rows[i].header,
			    found == NULL ? -1 : (int)(found - c.callers));
	}
}

#define DAY "day=2026-03-05&cursor="

static void
a_cursor_of_the_console_leads_back(void **state)
{
	struct operate_settlement_mark s = { .cid = 3,
		.refunds = true,
		.after = { .approved_at_ms = 1772668800123, .tid = "T9z" } };
	struct operate_reconcile_mark r = { .part = RECONCILE_EVENTS,
		.done = 17,
		.all = 40,
		.after = { .approved_at_ms = 1772668800123, .tid = "T9z" },
		.at_ms = 1772668800456,
		.passed = 2 };
	struct field_errors errors = { 0 };
	struct buf q = BUF_INIT;
	struct console_owed owed;
	struct console_holds holds;
	struct console_day day;

	(void)state;
	buf_add_str(&q, DAY);
	console_settlement_cursor(&s, &q);
	assert_int_equal(console_read_settlement(buf_str(&q), &day, &errors), REQUEST_OK);
	assert_int_equal(day.settlement.cid, 3);
	assert_true(day.settlement.refunds);
	assert_int_equal(day.settlement.after.approved_at_ms, 1772668800123);
	assert_string_equal(day.settlement.after.tid, "T9z");
	buf_reset(&q);
	buf_add_str(&q, DAY);
	console_reconcile_cursor(&r, &q);
	assert_int_equal(console_read_reconcile(buf_str(&q), &day, &errors), REQUEST_OK);
	assert_int_equal(day.reconcile.after.approved_at_ms, r.after.approved_at_ms);
	assert_string_equal(day.reconcile.after.tid, r.after.tid);
	assert_int_equal(day.reconcile.part, r.part);
	assert_int_equal(day.reconcile.done, r.done);
	assert_int_equal(day.reconcile.all, r.all);
	assert_int_equal(day.reconcile.at_ms, r.at_ms);
	assert_int_equal(day.reconcile.passed, r.passed);
	assert_int_equal(day.from_ms, 1772636400000); /* midnight in Korea */
	assert_int_equal(day.to_ms - day.from_ms, 24 * 3600 * 1000);
	buf_reset(&q);
	buf_add_str(&q, "cursor=");
	console_owed_cursor(1772668800123, 5, &q);
	assert_int_equal(console_read_owed(buf_str(&q), &owed, &errors), REQUEST_OK);
	assert_int_equal(owed.o.at_ms, 1772668800123);
	assert_int_equal(owed.o.passed, 5);
	buf_reset(&q);
	buf_add_str(&q, "cursor=");
	console_holds_cursor(987654321, &q);
	assert_int_equal(console_read_holds(buf_str(&q), &holds, &errors), REQUEST_OK);
	assert_int_equal(holds.after, 987654321);
	buf_clear(&q);
	field_errors_clear(&errors);
}

static void
a_cursor_that_was_tampered_with_is_refused(void **state)
{
	static const char *const rows[] = { "x", ".", "..", "-1.0", "1.0x", "1.0.0", "1.ffffff",
		"1.", "fffffffffffffffff.0", "1%00.0", "1.0.%2e", "3.0.0.0.0.0.", "2.0.0.0.0.0",
		"2.0.0.0.0.0.T!", "ff.0.0.", "0.2.0.", "0.0.0.ttttttttttttttttttttt" };
	struct field_errors errors = { 0 };
	struct console_owed owed;
	struct console_day day;
	char q[200];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(q, sizeof(q), "cursor=%s", rows[i]);
		if (console_read_owed(q, &owed, &errors) == REQUEST_OK)
			fail_msg("messages: %s", rows[i]);
		snprintf(q, sizeof(q), DAY "%s", rows[i]);
		if (console_read_settlement(q, &day, &errors) == REQUEST_OK)
			fail_msg("settlement: %s", rows[i]);
		if (console_read_reconcile(q, &day, &errors) == REQUEST_OK)
			fail_msg("reconcile: %s", rows[i]);
	}
	field_errors_clear(&errors);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_wrong_field_of_pay_ready),
		cmocka_unit_test(amounts_must_fit_each_other),
		cmocka_unit_test(times_of_reservation_info),
		cmocka_unit_test(sixty_four_intervals_and_not_one_more),
		cmocka_unit_test(minutes_go_back_in_the_sites_unit),
		cmocka_unit_test(redirect_urls),
		cmocka_unit_test(scheme_and_host_go_out_in_lower_case),
		cmocka_unit_test(the_users_token_is_asked_for_in_its_mode_alone),
		cmocka_unit_test(what_a_right_body_becomes),
		cmocka_unit_test(the_calendars_members_are_bounded_in_all),
		cmocka_unit_test(the_fingerprint_is_of_the_business_fields_and_of_nothing_else),
		cmocka_unit_test(each_member_is_compared_unless_its_rule_says_no),
		cmocka_unit_test(approve_and_remove),
		cmocka_unit_test(refunds),
		cmocka_unit_test(the_query_string_of_orders),
		cmocka_unit_test(the_query_string_of_queue),
		cmocka_unit_test(a_caller_is_known_by_either_of_its_tokens),
		cmocka_unit_test(a_cursor_of_the_console_leads_back),
		cmocka_unit_test(a_cursor_that_was_tampered_with_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
