#include "config.h"

#include "queue/disk/journal_format.h"

#include <assert.h>
#include <string.h>

#include "queue/disk/crc32c.h"

static const uint8_t magic[8] = "ROOMPAYQ";

/* Offsets in a file header. */
enum {
	H_MAGIC = 0,
	H_VERSION = 8,
	H_KIND = 12,
	H_NUMBER = 16,
	H_FIRST_SEQ = 24,
	H_QUEUE_ID = 32,
	H_BOOT_ID = 48,
	H_BOOT_MS = 88,
	H_WALL_MS = 96,
	H_CHAIN = 104,
	H_CRC = 108
};
/* Offsets in a record header. */
enum { R_LEN = 0, R_CRC = 4, R_SEQ = 8, R_PREV = 16, R_BEHIND = 20, R_TYPE = 24 };
static_assert(R_TYPE + 1 == JOURNAL_RECORD_HEADER, "the payload follows the type");

static void
put_u32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static uint32_t
get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

void
put_u64(uint8_t *p, uint64_t v)
{
	put_u32(p, (uint32_t)v);
	put_u32(p + 4, (uint32_t)(v >> 32));
}

uint64_t
get_u64(const uint8_t *p)
{
	return get_u32(p) | (uint64_t)get_u32(p + 4) << 32;
}

void
journal_header_format(const struct journal_header *h, uint8_t out[JOURNAL_HEADER])
{
	memset(out, 0, JOURNAL_HEADER);
	memcpy(out + H_MAGIC, magic, sizeof(magic));
	put_u32(out + H_VERSION, JOURNAL_VERSION);
	put_u32(out + H_KIND, h->kind);
	put_u64(out + H_NUMBER, h->number);
	put_u64(out + H_FIRST_SEQ, h->first_seq);
	memcpy(out + H_QUEUE_ID, h->queue_id, sizeof(h->queue_id));
	memcpy(out + H_BOOT_ID, h->boot_id, sizeof(h->boot_id));
	put_u64(out + H_BOOT_MS, (uint64_t)h->boot_ms);
	put_u64(out + H_WALL_MS, (uint64_t)h->wall_ms);
	put_u32(out + H_CHAIN, h->chain);
	put_u32(out + H_CRC, crc32c(0, out, H_CRC));
}

bool
journal_header_parse(const uint8_t in[JOURNAL_HEADER], struct journal_header *out,
    struct error *err)
{
	uint32_t kind = get_u32(in + H_KIND);

	if (memcmp(in + H_MAGIC, magic, sizeof(magic)) != 0)
		return error_set(err, ERR_INTERNAL, "is not a file of a journal");
	if (get_u32(in + H_CRC) != crc32c(0, in, H_CRC) ||
	    (kind != JOURNAL_SEGMENT && kind != JOURNAL_SNAPSHOT) || in[H_BOOT_MS - 1] != '\0')
		return error_set(err, ERR_INTERNAL, "has a damaged header");
	if (get_u32(in + H_VERSION) != JOURNAL_VERSION)
		return error_set(err, ERR_INTERNAL, "has version %u, but this program reads %d",
		    get_u32(in + H_VERSION), JOURNAL_VERSION);
	out->kind = (enum journal_kind)kind;
	out->number = get_u64(in + H_NUMBER);
	out->first_seq = get_u64(in + H_FIRST_SEQ);
	memcpy(out->queue_id, in + H_QUEUE_ID, sizeof(out->queue_id));
	memcpy(out->boot_id, in + H_BOOT_ID, sizeof(out->boot_id));
	out->boot_ms = (int64_t)get_u64(in + H_BOOT_MS);
	out->wall_ms = (int64_t)get_u64(in + H_WALL_MS);
	out->chain = get_u32(in + H_CHAIN);
	return true;
}

size_t
journal_record_size(size_t len)
{
	return (JOURNAL_RECORD_HEADER + len + JOURNAL_ALIGN - 1) / JOURNAL_ALIGN * JOURNAL_ALIGN;
}

/* Over everything except the crc itself. */
static uint32_t
record_crc(const uint8_t header[JOURNAL_RECORD_HEADER], const void *payload, size_t len)
{
	uint32_t crc = crc32c(0, header + R_LEN, R_CRC - R_LEN);

	crc = crc32c(crc, header + R_SEQ, JOURNAL_RECORD_HEADER - R_SEQ);
	return crc32c(crc, payload, len);
}

void
journal_record_format(struct journal_record *r, struct buf *out)
{
	static const uint8_t zeros[JOURNAL_ALIGN];
	uint8_t header[JOURNAL_RECORD_HEADER];

	assert(r->len > 0 && r->len <= JOURNAL_RECORD_MAX);
	put_u32(header + R_LEN, (uint32_t)r->len);
	put_u64(header + R_SEQ, r->seq);
	put_u32(header + R_PREV, r->prev);
	put_u32(header + R_BEHIND, r->behind);
	header[R_TYPE] = (uint8_t)r->type;
	r->crc = record_crc(header, r->payload, r->len);
	put_u32(header + R_CRC, r->crc);
	buf_add(out, header, sizeof(header));
	buf_add(out, r->payload, r->len);
	buf_add(out, zeros, journal_record_size(r->len) - JOURNAL_RECORD_HEADER - r->len);
}

bool
journal_record_parse(const uint8_t *p, size_t left, struct journal_record *out)
{
	size_t len;

	if (left < JOURNAL_RECORD_HEADER)
		return false;
	len = get_u32(p + R_LEN);
	if (len == 0 || len > JOURNAL_RECORD_MAX || journal_record_size(len) > left ||
	    (p[R_TYPE] != JOURNAL_RECORD_TABLE && p[R_TYPE] != JOURNAL_RECORD_END))
		return false;
	out->crc = get_u32(p + R_CRC);
	out->seq = get_u64(p + R_SEQ);
	out->prev = get_u32(p + R_PREV);
	out->behind = get_u32(p + R_BEHIND);
	out->type = (enum journal_record_type)p[R_TYPE];
	out->payload = p + JOURNAL_RECORD_HEADER;
	out->len = len;
	return out->crc == record_crc(p, out->payload, len);
}
