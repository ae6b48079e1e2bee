/* What the commands share: the clients that they open, whose payment a tid is, and small texts. */
#include "config.h"

#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "ctl/command.h"
#include "flow/site.h"
#include "provider/kakaopay/kakaopay.h"

enum ctl_exit
ctl_complain(const char *what, const struct error *err)
{
	fprintf(stderr, "roompayctl: %s: %s\n", what, ctl_visible(err->msg));
	return CTL_FAILED;
}

bool
ctl_print(struct buf *b)
{
	bool ok = !b->bad && puts(buf_str(b)) >= 0;

	buf_clear(b);
	return ok;
}

void
ctl_begin_list(struct buf *b)
{
	buf_add_char(b, '[');
}

void
ctl_next_item(struct buf *b)
{
	if (b->len > 1)
		buf_add_str(b, ",\n");
}

bool
ctl_print_list(struct buf *b)
{
	buf_add_char(b, ']');
	return ctl_print(b);
}

/*
 * The person at the machine: who began a session as root by sudo, else who logged in and became
 * root (what the kernel noted then), else the user of this process. Nobody but root can pretend to
 * be another.
 */
static uid_t
person(void)
{
	const char *sudo = getenv("SUDO_UID");
	uid_t uid = getuid();
	unsigned login;
	FILE *f;
	char *end;

	if (uid != 0)
		return uid;
	if (sudo != NULL && sudo[0] >= '0' && sudo[0] <= '9') {
		unsigned long n = strtoul(sudo, &end, 10);

		if (*end == '\0' && n < UINT32_MAX)
			return (uid_t)n;
	}
	f = fopen("/proc/self/loginuid", "re");
	if (f == NULL)
		return uid;
	if (fscanf(f, "%u", &login) == 1 && login != UINT32_MAX)
		uid = (uid_t)login;
	fclose(f);
	return uid;
}

const char *
ctl_who(void)
{
	static char who[WHO_CAP];
	struct passwd *p;

	if (who[0] == '\0') {
		p = getpwuid(person());
		if (p != NULL)
			text_copy(who, sizeof(who), p->pw_name);
		else
			snprintf(who, sizeof(who), "uid %lu", (unsigned long)person());
	}
	return who;
}

bool
ctl_open(struct flow *f, const struct conf *conf, unsigned clients, struct error *err)
{
	*f =
	    (struct flow){ .conf = conf, .program = "ctl", .who = ctl_who(), .gate = FR_NOT_READY };
	if ((clients & CTL_STORE) &&
	    (f->store = store_open_mongo(conf_store_uri(conf), conf->database, err)) == NULL)
		return error_wrap(err, "store");
	if ((clients & CTL_QUEUE) && (f->queue = queue_open_unix(conf->queue_socket)) == NULL)
		return error_set(err, ERR_INTERNAL, "out of memory");
	return !(clients & CTL_KAKAOPAY) || (f->provider = kakaopay_new(conf, err)) != NULL ||
	    error_wrap(err, "kakaopay");
}

void
ctl_close(struct flow *f)
{
	provider_free(&f->provider);
	queue_free(&f->queue);
	store_free(&f->store);
}

void
ctl_set_gate(struct flow *f)
{
	struct flow_call c = ctl_call();
	struct queue_greeting hello;
	struct store_claim claim;
	struct error err;

	f->gate = FR_QUEUE_UNAVAILABLE;
	if (store_claim_get(f->store, &claim, c.deadline_boot_ms, &err) &&
	    queue_hello(f->queue, &hello, c.deadline_boot_ms, &err) && claim.number > 0 &&
	    strcmp(claim.queue_id, hello.id) == 0)
		f->gate = FR_OK;
}

bool
ctl_need_site(struct flow *f, struct error *err)
{
	struct site site;

	if (!site_open(f->store, f->queue, &site, ctl_call().deadline_boot_ms, err))
		return false;
	f->gate = FR_OK;
	return true;
}

size_t
ctl_cids(const struct conf *conf, const char *cids[CONF_MERCHANTS_MAX])
{
	for (size_t i = 0; i < conf->n_merchants; i++)
		cids[i] = conf->merchants[i].cid;
	return conf->n_merchants;
}

struct flow_call
ctl_call(void)
{
	enum { CALL_MS = 15000 };
	static char id[REQUEST_ID_CAP];

	if (id[0] == '\0')
		snprintf(id, sizeof(id), "ctl-%lld-%ld", (long long)clock_wall_ms(),
		    (long)getpid());
	return (struct flow_call){ id, clock_boot_ms() + CALL_MS, NULL };
}

enum { TEXTS = 4 };

const char *
ctl_kst(int64_t wall_ms)
{
	static char texts[TEXTS][CLOCK_KST_CAP];
	static unsigned i;
	char *text = texts[i++ % TEXTS];

	if (wall_ms == 0)
		return "-";
	clock_format_kst(wall_ms, ' ', text);
	return text;
}

const char *
ctl_int(int64_t n)
{
	static char texts[TEXTS][24];
	static unsigned i;
	char *text = texts[i++ % TEXTS];

	snprintf(text, sizeof(texts[0]), "%lld", (long long)n);
	return text;
}

const char *
ctl_visible(const char *text)
{
	static struct buf texts[TEXTS]; /* kept until the program ends */
	static unsigned i;
	struct buf *b = &texts[i++ % TEXTS];

	buf_reset(b);
	text_add_visible(b, text);
	return buf_str(b);
}

const char *
ctl_by(const char *by, const char *who)
{
	static char texts[TEXTS][WHO_CAP + 40];
	static unsigned i;
	char *text = texts[i++ % TEXTS];

	snprintf(text, sizeof(texts[0]), who[0] != '\0' ? "%s (%s)" : "%s", by, who);
	return text;
}
