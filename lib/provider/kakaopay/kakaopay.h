/*
 * KakaoPay, in both generations of its API, as a provider. What its answers mean: outcome.c, and
 * doc/kakaopay.md, sections 3 and 4. src: KakaoPay's documents, as doc/kakaopay.md tells them;
 * tests/data/kakaopay-*.json.
 */
#pragma once

#include "base/error.h"
#include "provider/provider.h"
#include "site/conf.h"

/* One for each process, made after fork; borrows conf. provider_free. NULL: ERR_INPUT: a merchant
 * that could never pay; ERR_INTERNAL. */
struct provider *kakaopay_new(const struct conf *conf, struct error *err);
