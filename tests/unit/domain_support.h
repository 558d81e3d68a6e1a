/* SPDX-License-Identifier: MIT */
/* What the tests of domains' accounts and tables share. */
#ifndef STRATA_TESTS_UNIT_DOMAIN_SUPPORT_H
#define STRATA_TESTS_UNIT_DOMAIN_SUPPORT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <strata/domain.h>

#include "support.h"

#define OBJ STRATA_DOMAIN_OBJ
#define BUF STRATA_DOMAIN_BUF
#define THREADS 8

static inline struct strata_domain_stats read_stats(enum strata_domain domain)
{
	struct strata_domain_stats stats;

	assert_int_equal(strata_domain_stats_read(domain, &stats, sizeof stats), 0);
	return stats;
}

/* ---- A table that counts and hands on ------------------------------------------------------------------------------- */

struct wrapper {
	struct strata_domain_table former;
	unsigned mallocs, callocs, reallocs, frees, aligned;
	unsigned fail_from; /* the n-th malloc and all later ones fail; 0: none */
};

static inline void *wrapped_malloc(void *ctx, size_t size)
{
	struct wrapper *wrapper = ctx;

	if (++wrapper->mallocs >= wrapper->fail_from && wrapper->fail_from != 0) {
		errno = ENOMEM;
		return NULL;
	}
	return wrapper->former.malloc(wrapper->former.ctx, size);
}

static inline void *wrapped_calloc(void *ctx, size_t count, size_t size)
{
	struct wrapper *wrapper = ctx;

	wrapper->callocs++;
	return wrapper->former.calloc(wrapper->former.ctx, count, size);
}

static inline void *wrapped_realloc(void *ctx, void *block, size_t size)
{
	struct wrapper *wrapper = ctx;

	wrapper->reallocs++;
	return wrapper->former.realloc(wrapper->former.ctx, block, size);
}

static inline void wrapped_free(void *ctx, void *block)
{
	struct wrapper *wrapper = ctx;

	wrapper->frees++;
	wrapper->former.free(wrapper->former.ctx, block);
}

static inline void *wrapped_aligned(void *ctx, size_t alignment, size_t size)
{
	struct wrapper *wrapper = ctx;

	wrapper->aligned++;
	return wrapper->former.aligned_alloc(wrapper->former.ctx, alignment, size);
}

static inline struct strata_domain_table table_of(struct wrapper *wrapper)
{
	return (struct strata_domain_table){wrapper,      wrapped_malloc, wrapped_calloc, wrapped_realloc,
	                                    wrapped_free, wrapped_aligned};
}

static inline void wrap(enum strata_domain domain, struct wrapper *wrapper)
{
	struct strata_domain_table table = table_of(wrapper);

	memset(wrapper, 0, sizeof *wrapper);
	assert_int_equal(strata_domain_get_table(domain, &wrapper->former), 0);
	assert_int_equal(strata_domain_set_table(domain, &table), 0);
}

/* Every call once. Blocks of sizes that the fast path would serve. */
static inline void call_all(enum strata_domain domain)
{
	void *block = strata_domain_malloc(domain, 40);

	assert_non_null(block);
	pattern_write(block, 40, 1);
	block = strata_domain_realloc(domain, block, 4000);
	assert_true(pattern_holds(block, 40, 1));
	strata_domain_free(domain, block);
	block = strata_domain_calloc(domain, 10, 10);
	assert_true(all_zero(block, 100));
	strata_domain_free(domain, block);
	block = strata_domain_aligned_alloc(domain, 256, 10);
	assert_true(is_aligned(block, 256));
	strata_domain_free(domain, block);
	block = strata_domain_malloc(domain, 3000);
	strata_domain_free(domain, block);
	strata_domain_free(domain, NULL);
}

#endif
