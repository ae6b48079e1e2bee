/* Which characters a text may hold, and how a text is shown when it holds others. One table for all
 * programs.
 *
 * "Hidden" characters change what a reader sees without being seen themselves: controls (C0, DEL,
 * C1), line separators, bidirectional marks, overrides and isolates, zero-width and filler
 * characters, tags, noncharacters. Requests that hold one are refused. Old documents may still hold
 * them, so whatever is shown is escaped.
 *
 * These stay, because people type them: joiners (U+200C, U+200D) and variation selectors, which
 * emoji and some scripts need; combining marks; Hangul in NFD; letters that run from right to left.
 *
 * src: Unicode 15.1, DerivedCoreProperties (Default_Ignorable_Code_Point), PropList (White_Space,
 * Noncharacter, Bidi_Control, Deprecated). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"

enum { TEXT_NOT_UTF8 = 0x110000 }; /* a byte that begins no character */

/* Into an array of cap bytes, the NUL included: as much as fits, in bytes. False: not all of it
 * did. Inline: a payment is copied from struct to struct some hundred times. */
static inline bool
text_copy(char *out, size_t cap, const char *text)
{
	size_t len = strnlen(text, cap - 1);

	memcpy(out, text, len);
	out[len] = '\0';
	return text[len] == '\0';
}

/* The character at *p, which then points behind it. The text ends with a NUL, which is not passed.
 */
uint32_t text_next(const char **p);

bool text_is_utf8(const char *text);
bool text_is_hidden(uint32_t c); /* also TEXT_NOT_UTF8 */
bool text_has_hidden(const char *text);
/* Nothing to see: only spaces of any kind, joiners and variation selectors. "" is blank. */
bool text_is_blank(const char *text);

/* The same text with each hidden character as \u202e (above U+FFFF: \u{e0001}) and each byte that
 * is no UTF-8 as \xff. */
void text_add_visible(struct buf *out, const char *text);
/* One hidden character as a JSON string may hold it: \u202e, above U+FFFF two of them. A byte that
 * is no UTF-8: \ufffd. */
void text_add_json_escape(struct buf *out, uint32_t c);
