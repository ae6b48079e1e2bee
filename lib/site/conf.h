/* What roompay.conf says, for all programs: one struct. conf_read.h fills it, conf_keys.c has the
 * table of keys. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/error.h"
#include "base/log.h"
#include "base/secret.h"
#include "site/limit.h"

enum {
	CONF_CALLERS_MAX = 32,
	CONF_MERCHANTS_MAX = 32,
	CONF_CIDS_MAX = CIDS_MAX,
	CONF_UIDS_MAX = 16,
	CONF_HOSTS_MAX = 32,
	CONF_ADDRESSES_MAX = 16,
	CONF_PATH_CAP = 256,
	CONF_TEXT_CAP = 512,
	CONF_TOKENS_MAX = 2
};

/* of trusted_proxies: who comes over a Unix socket of the web server */
#define CONF_PROXY_UNIX "unix"

enum conf_role {
	ROLE_GATEWAY = 1,
	ROLE_RESERVATION = 2,
	ROLE_OPERATOR = 4,
	ROLE_REFUND = 8,
	ROLE_VIEWER = 16 /* sees what an operator sees, and changes nothing */
};			 /* bits */
enum conf_mode { MODE_SECRET_KEY, MODE_ADMIN_KEY, MODE_USER_TOKEN };
enum conf_unbookable { UNBOOKABLE_KEEP, UNBOOKABLE_REFUND };
enum conf_queue_log { QUEUE_LOG_DISK, QUEUE_LOG_MONGODB };

struct conf_caller { /* [caller NAME] */
	char name[65];
	unsigned roles;			   /* roles = gateway, operator */
	char cids[CONF_CIDS_MAX][CID_CAP]; /* cids = TC0ONETIME, ... */
	size_t n_cids;
	uint8_t token_sha256[CONF_TOKENS_MAX][32]; /* token_sha256 = HEX [, HEX] */
	size_t n_tokens;
};

struct conf_merchant { /* [merchant CID] */
	char cid[CID_CAP];
	enum conf_mode mode;	      /* mode = secret_key | admin_key | user_token */
	char base_url[CONF_TEXT_CAP]; /* default by mode */
	char key_file[CONF_PATH_CAP];
	struct secret key;
	char cid_secret_file[CONF_PATH_CAP];
	struct secret cid_secret;
	int64_t hold_ttl_ms; /* hold_ttl = seconds, 1..840; default 600 */
	enum conf_unbookable on_unbookable;
};

struct conf_peer {		      /* [deliver reservation], [deliver gateway] */
	char url[CONF_TEXT_CAP];      /* "": nothing is sent to this peer */
	char key_file[CONF_PATH_CAP]; /* Standard Webhooks secret: whsec_<base64> */
	struct secret key;
	char old_key_file[CONF_PATH_CAP]; /* while the receiver changes its secret; "": none */
	struct secret old_key;
};

struct conf {
	/* [site] */
	bool time_unit_minute;			       /* time_unit = hour | minute */
	char url_hosts[CONF_HOSTS_MAX][CONF_PATH_CAP]; /* redirect_hosts = a, b; empty: any */
	size_t n_url_hosts;
	bool url_http; /* redirect_http = no | yes */
	char replay_key_file[CONF_PATH_CAP];
	struct secret replay_key; /* never changes */
	enum log_level log_level;
	enum log_format log_format;
	enum log_target log_target;
	char user[65]; /* who a program becomes that was started as root; "": it stays */
	char metrics_dir[CONF_PATH_CAP]; /* "": nothing is counted */
	/* [fcgi] */
	/* who reads /metrics without a token */
	char metrics_addresses[CONF_ADDRESSES_MAX][ADDRESS_CAP];
	size_t n_metrics_addresses;
	/* whose X-Forwarded-For is believed */
	char trusted_proxies[CONF_ADDRESSES_MAX][ADDRESS_CAP];
	size_t n_trusted_proxies;
	char fcgi_socket[CONF_PATH_CAP];
	int64_t workers;	    /* also what the queue derives its limits from */
	char prefix[CONF_PATH_CAP]; /* "" or "/pay": removed from the path */
	int64_t deadline_ms;	    /* deadline = ms, 5000..30000; default 13000 */
	int64_t drain_ms; /* drain = seconds, 0..300; how long a master says that it ends */
	/* [console] */
	bool console; /* serve = no | yes */
	char console_dir[CONF_PATH_CAP];
	/* who may use it; empty: whom the web server lets through */
	char console_addresses[CONF_ADDRESSES_MAX][ADDRESS_CAP];
	size_t n_console_addresses;
	/* [queue] */
	char queue_socket[CONF_PATH_CAP];
	char queue_dir[CONF_PATH_CAP];
	enum conf_queue_log queue_log;	    /* log = disk | mongodb */
	int64_t log_keep_s;		    /* mongodb: a record outlives its snapshot by so long */
	int64_t log_snapshot_every;	    /* mongodb: documents between two snapshots */
	char queue_group[65];		    /* socket_group; "": the daemon's own */
	uint32_t queue_uids[CONF_UIDS_MAX]; /* allow_uids; empty: own uid and root */
	size_t n_queue_uids;
	int64_t max_holds_per_user; /* 3 */
	int64_t guard_ms;	    /* sold_guard = seconds; 60 */
	int64_t max_calls_ready;    /* provider calls and waiters; 0: workers - 4, at least 1 */
	int64_t max_calls;	    /* for approvals; 0: workers - 2, at least 1 */
	int64_t max_refused_tokens; /* per minute and hold; 5 */
	/* [store] */
	char store_uri[CONF_TEXT_CAP]; /* uri, or uri_file for one with a password */
	char store_uri_file[CONF_PATH_CAP];
	struct secret store_uri_secret;
	char database[64];
	/* [courier] */
	int64_t courier_parallel;
	bool courier_queue; /* queue = yes | no: no: on another machine than the queue */
	struct conf_peer reservation, gateway;
	struct conf_caller callers[CONF_CALLERS_MAX];
	size_t n_callers;
	struct conf_merchant merchants[CONF_MERCHANTS_MAX];
	size_t n_merchants;
};

/* Clears the secrets. */
void conf_clear(struct conf *c);
const struct conf_merchant *conf_merchant(const struct conf *c, const char *cid); /* NULL: unknown
										   */
/* After a queue's start: until no call that a queue before it granted, and no time that it guarded,
 * can go on. ms */
int64_t conf_quiet_ms(const struct conf *c);
const char *conf_store_uri(const struct conf *c);
/* Plain http to a loopback host (base/loopback.h). */
bool conf_is_loopback(const char *url);
