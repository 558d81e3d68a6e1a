/* SPDX-License-Identifier: MIT */
/*
 * The calls by domain (include/strata/domain.h) against what they promise: CPython's semantics, sizes, alignments, errors.
 * Names of libc's malloc family are not used for what is tested.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <strata/domain.h>

#include "support.h"

#define DOMAINS 4
#define BAD ((enum strata_domain)9)
#define TOO_MUCH opaque((size_t)PTRDIFF_MAX + 1)

static size_t alignment_due(int domain, size_t size)
{
	if (size > OBJECT_MAX)
		return 16;
	if (domain == STRATA_DOMAIN_RAW || domain == STRATA_DOMAIN_BUF)
		return size > 8 ? 16 : 8;
	return size > 8 && (size + 7) / 8 % 2 == 0 ? 16 : 8;
}

static void domains_have_names(void **state)
{
	static const char *const names[] = {"raw", "mem", "obj", "buf", "typed"};

	(void)state;
	for (int domain = 0; domain < STRATA_DOMAIN_COUNT; domain++)
		assert_string_equal(strata_domain_name((enum strata_domain)domain), names[domain]);
	assert_null(strata_domain_name(BAD));
}

static void blocks_of_every_size_are_usable_and_aligned(void **state)
{
	const size_t *sizes;
	size_t count = interesting_sizes(&sizes);

	(void)state;
	for (int domain = 0; domain < DOMAINS; domain++)
		for (size_t i = 0; i < count; i++) {
			unsigned char *block = strata_domain_malloc((enum strata_domain)domain, sizes[i]);

			assert_non_null(block);
			assert_true(is_aligned(block, alignment_due(domain, sizes[i])));
			pattern_write(block, sizes[i], i);
			assert_true(pattern_holds(block, sizes[i], i));
			strata_domain_free((enum strata_domain)domain, block);
		}
}

/* What the tiers promise: every 8-byte class for objects, 16-byte classes for the others. */
static void small_blocks_have_their_tiers_classes(void **state)
{
	(void)state;
	for (int domain = 0; domain < DOMAINS; domain++)
		for (size_t size = 1; size <= OBJECT_MAX; size++) {
			bool objects = domain == STRATA_DOMAIN_MEM || domain == STRATA_DOMAIN_OBJ;
			size_t multiple = objects ? 8 : 16;
			void *block = strata_domain_malloc((enum strata_domain)domain, size);

			if (!checked_mode() && strata_domain_debug(0) == 0)
				assert_int_equal(strata_usable_size(block), (size + multiple - 1) / multiple * multiple);
			strata_domain_free((enum strata_domain)domain, block);
		}
}

static void zero_bytes_give_distinct_blocks(void **state)
{
	void *blocks[3][100];

	(void)state;
	for (int domain = 0; domain < DOMAINS; domain++) {
		enum strata_domain of = (enum strata_domain)domain;

		for (size_t i = 0; i < 100; i++) {
			blocks[0][i] = strata_domain_malloc(of, 0);
			blocks[1][i] = strata_domain_calloc(of, i % 2, 0);
			blocks[2][i] = strata_domain_realloc(of, NULL, 0);
		}
		for (size_t i = 0; i < 300; i++) {
			assert_non_null(blocks[i / 100][i % 100]);
			for (size_t j = 0; j < i; j++)
				assert_ptr_not_equal(blocks[i / 100][i % 100], blocks[j / 100][j % 100]);
		}
		for (size_t i = 0; i < 300; i++)
			strata_domain_free(of, blocks[i / 100][i % 100]);
	}
}

/* Dirty blocks are there for it. */
static void calloc_gives_zeros(void **state)
{
	const size_t *sizes;
	size_t count = interesting_sizes(&sizes);

	(void)state;
	for (int domain = 0; domain < DOMAINS; domain++)
		for (size_t i = 0; i < count; i++) {
			enum strata_domain of = (enum strata_domain)domain;
			void *block = strata_domain_malloc(of, sizes[i]);

			assert_non_null(block);
			memset(block, 0xa5, sizes[i]);
			strata_domain_free(of, block);
			block = strata_domain_calloc(of, 1 + i % 2, sizes[i] / (1 + i % 2));
			assert_non_null(block);
			assert_true(all_zero(block, sizes[i] / (1 + i % 2) * (1 + i % 2)));
			strata_domain_free(of, block);
		}
}

static void resizing_keeps_the_contents(void **state)
{
	uint64_t random = 3;

	(void)state;
	for (int domain = 0; domain < DOMAINS; domain++) {
		enum strata_domain of = (enum strata_domain)domain;
		size_t size = 0;
		void *block = NULL;

		for (size_t i = 0; i < 2000; i++) {
			size_t next = random_size(&random, i % 10 == 0 ? 4 * MIB : 2 * KIB);
			size_t kept = size < next ? size : next;

			block = strata_domain_realloc(of, block, next);
			assert_non_null(block);
			assert_true(pattern_holds(block, kept, i));
			assert_true(is_aligned(block, alignment_due(domain, next)));
			pattern_write(block, next, i + 1);
			size = next;
		}
		strata_domain_free(of, block);
	}
}

/* CPython: PyMem_Realloc(p, 0) gives a block, and p is no more. */
static void resizing_to_zero_gives_a_block(void **state)
{
	struct strata_domain_stats stats;

	(void)state;
	for (int domain = 0; domain < DOMAINS; domain++) {
		enum strata_domain of = (enum strata_domain)domain;
		void *block = strata_domain_malloc(of, 1000);
		uint64_t blocks;

		assert_int_equal(strata_domain_stats_read(of, &stats, sizeof stats), 0);
		blocks = stats.live_blocks;
		block = strata_domain_realloc(of, block, 0);
		assert_non_null(block);
		assert_int_equal(strata_domain_stats_read(of, &stats, sizeof stats), 0);
		assert_int_equal(stats.live_blocks, blocks);
		strata_domain_free(of, block);
	}
}

static void aligned_blocks(void **state)
{
	static const size_t sizes[] = {0, 1, 24, 100, 4096, 70000};

	(void)state;
	for (int domain = 0; domain < DOMAINS; domain++)
		for (size_t alignment = 1; alignment <= 2 * MIB; alignment *= 2)
			for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
				enum strata_domain of = (enum strata_domain)domain;
				void *block = strata_domain_aligned_alloc(of, alignment, sizes[i]);

				assert_non_null(block);
				assert_true(is_aligned(block, alignment));
				pattern_write(block, sizes[i], i);
				block = strata_domain_realloc(of, block, sizes[i] + 500);
				assert_non_null(block);
				assert_true(pattern_holds(block, sizes[i], i));
				strata_domain_free(of, block);
			}
}

#define assert_fails(call, error)                \
	do {                                     \
		errno = 0;                       \
		assert_null(call);               \
		assert_int_equal(errno, error);  \
	} while (0)

static void what_cannot_be_fails(void **state)
{
	(void)state;
	for (int domain = 0; domain < DOMAINS; domain++) {
		enum strata_domain of = (enum strata_domain)domain;
		void *block = strata_domain_malloc(of, 100);

		pattern_write(block, 100, 7);
		assert_fails(strata_domain_malloc(of, TOO_MUCH), ENOMEM);
		assert_fails(strata_domain_malloc(of, opaque(SIZE_MAX)), ENOMEM);
		assert_fails(strata_domain_malloc(of, opaque(PTRDIFF_MAX)), ENOMEM);
		assert_fails(strata_domain_calloc(of, opaque(SIZE_MAX / 2), 3), ENOMEM);
		assert_fails(strata_domain_calloc(of, opaque((size_t)1 << 32), opaque((size_t)1 << 32)), ENOMEM);
		assert_fails(strata_domain_realloc(of, NULL, TOO_MUCH), ENOMEM);
		assert_fails(strata_domain_realloc(of, block, TOO_MUCH), ENOMEM);
		assert_fails(strata_domain_realloc(of, block, opaque(SIZE_MAX)), ENOMEM);
		assert_true(pattern_holds(block, 100, 7));
		assert_fails(strata_domain_aligned_alloc(of, opaque(0), 8), EINVAL);
		assert_fails(strata_domain_aligned_alloc(of, opaque(24), 8), EINVAL);
		assert_fails(strata_domain_aligned_alloc(of, 64, TOO_MUCH), ENOMEM);
		assert_fails(strata_domain_aligned_alloc(of, opaque((size_t)1 << 62), opaque((size_t)1 << 62)), ENOMEM);
		errno = 77;
		strata_domain_free(of, block);
		strata_domain_free(of, NULL);
		assert_int_equal(errno, 77);
	}
}

static void other_domains_are_refused(void **state)
{
	static const enum strata_domain others[] = {STRATA_DOMAIN_TYPED, (enum strata_domain)5, (enum strata_domain)7};
	struct strata_domain_stats stats;

	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		assert_fails(strata_domain_malloc(others[i], 8), EINVAL);
		assert_fails(strata_domain_malloc(others[i], 1000), EINVAL);
		assert_fails(strata_domain_calloc(others[i], 1, 8), EINVAL);
		assert_fails(strata_domain_realloc(others[i], NULL, 8), EINVAL);
		assert_fails(strata_domain_aligned_alloc(others[i], 8, 8), EINVAL);
		strata_domain_free(others[i], &stats);
	}
	assert_int_equal(strata_domain_stats_read(BAD, &stats, sizeof stats), EINVAL);
	assert_int_equal(strata_domain_stats_read(STRATA_DOMAIN_OBJ, NULL, sizeof stats), EINVAL);
	assert_int_equal(strata_domain_stats_read(STRATA_DOMAIN_OBJ, &stats, 0), EINVAL);
	assert_int_equal(strata_domain_stats_read(STRATA_DOMAIN_TYPED, &stats, sizeof stats), 0);
	assert_int_equal(strata_domain_reset_peak(STRATA_DOMAIN_TYPED), EINVAL);
}

/* ---- Threads that end ------------------------------------------------------------------------------------------------- */

static pthread_key_t key;

struct last_block {
	int round;
	void *block;
};

/* In the last round of destructors, when strata's own is over. */
static void free_last(void *value)
{
	struct last_block *last = value;

	if (++last->round < PTHREAD_DESTRUCTOR_ITERATIONS)
		pthread_setspecific(key, last);
	else
		strata_domain_free(STRATA_DOMAIN_MEM, last->block);
}

static void *keep_to_the_end(void *value)
{
	struct last_block *last = value;

	last->block = strata_domain_malloc(STRATA_DOMAIN_MEM, 100);
	pthread_setspecific(key, last);
	return NULL;
}

static void what_a_thread_frees_last_leaves_no_heap(void **state)
{
	struct strata_stats before = totals();

	(void)state;
	assert_int_equal(pthread_key_create(&key, free_last), 0);
	for (int i = 0; i < 20; i++) {
		struct last_block last = {0, NULL};
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, keep_to_the_end, &last), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_int_equal(last.round, PTHREAD_DESTRUCTOR_ITERATIONS);
	}
	assert_int_equal(totals().threads, before.threads);
	assert_true(totals().heaps <= before.heaps + 2);
	pthread_key_delete(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(domains_have_names),
		cmocka_unit_test(blocks_of_every_size_are_usable_and_aligned),
		cmocka_unit_test(small_blocks_have_their_tiers_classes),
		cmocka_unit_test(zero_bytes_give_distinct_blocks),
		cmocka_unit_test(calloc_gives_zeros),
		cmocka_unit_test(resizing_keeps_the_contents),
		cmocka_unit_test(resizing_to_zero_gives_a_block),
		cmocka_unit_test(aligned_blocks),
		cmocka_unit_test(what_cannot_be_fails),
		cmocka_unit_test(other_domains_are_refused),
		cmocka_unit_test(what_a_thread_frees_last_leaves_no_heap),
	};

	return cmocka_run_group_tests_name("domain blocks", tests, NULL, NULL);
}
