/* SPDX-License-Identifier: MIT */
/*
 * What runs cost is charged before it stops to count as free, and comes out even, however they are resized; and who counts them. memset is
 * this program's, for the library as well, which is linked to it statically: the totals are read while a block is being cleared.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>

#include <strata/strata.h>

#include "arena_count.h"
#include "support.h"
#include "thread.h"

static bool armed;
static int64_t while_cleared;

static int64_t pages_that_count(void)
{
	int64_t used, dirty;

	arena_totals(&used, &dirty);
	return used + dirty;
}

void *memset(void *start, int byte, size_t size)
{
	volatile unsigned char *at = start;

	if (armed) {
		armed = false;
		while_cleared = pages_that_count();
	}
	for (size_t i = 0; i < size; i++)
		at[i] = (unsigned char)byte;
	return start;
}

/* Free arenas of which all but two pages cost memory. */
static void soil_arenas(size_t count)
{
	static void *blocks[64];

	for (size_t i = 0; i < count; i++) {
		blocks[i] = strata_malloc(62 * 4 * KIB);
		assert_non_null(blocks[i]);
		memset(blocks[i], 1, 62 * 4 * KIB);
	}
	for (size_t i = 0; i < count; i++)
		strata_free(blocks[i]);
}

/* The block ends a page behind an arena's end: the rest of that is nobody's while the block is there, and costs what it did. */
static void what_lies_behind_counts_while_a_block_is_cleared(void **state)
{
	void *block;

	(void)state;
	if (checked_mode())
		skip();
	set_decay(STOPPED);
	assert_int_equal(set_number("retain", 1024 * MIB), 0);
	soil_arenas(64);
	armed = true;
	block = strata_calloc(1, 5 * MIB + 4 * KIB);
	assert_true(block != NULL && !armed);
	assert_int_equal(while_cleared, pages_that_count());
	strata_free(block);
	assert_int_equal(set_number("retain", 16 * MIB), 0);
	strata_trim();
}

enum { RUNS = 20, STEPS = 3000 };

static void resize_at_random(void **runs, uint64_t *random)
{
	for (int i = 0; i < STEPS; i++) {
		void **run = &runs[random_below(random, RUNS)];
		size_t size = 200 * KIB + random_below(random, 4 * MIB) / (1 + random_below(random, 8));

		if (*run != NULL && random_below(random, 3) == 0) {
			strata_free(*run);
			*run = NULL;
		} else {
			*run = *run != NULL ? strata_realloc(*run, size) : strata_malloc(size);
			assert_non_null(*run);
			*(char *)*run = 1;
		}
	}
}

static void however_resized_all_comes_out_even(void **state)
{
	static void *runs[RUNS];
	uint64_t random = 7;
	struct strata_stats before, after;

	(void)state;
	strata_trim();
	before = totals();
	resize_at_random(runs, &random);
	for (size_t i = 0; i < RUNS; i++)
		strata_free(runs[i]);
	strata_trim();
	after = totals();
	assert_true(after.heap_bytes <= before.heap_bytes);
	assert_int_equal(after.run_bytes, before.run_bytes);
}

/* A block is volatile: compilers know that what is freed at once was not needed. */
static void make_pairs(unsigned count)
{
	while (count-- > 0) {
		void *volatile block = strata_malloc(MIB);

		strata_free(block);
	}
}

static void *large_blocks_only(void *had_one)
{
	bool *had = had_one;

	make_pairs(63);
	had[0] = thread_self.own != NULL;
	make_pairs(1);
	had[1] = thread_self.own != NULL;
	return NULL;
}

static void who_frees_many_has_a_heap(void **state)
{
	bool had[2] = {true, false};
	pthread_t thread;

	(void)state;
	if (checked_mode())
		skip();
	assert_int_equal(pthread_create(&thread, NULL, large_blocks_only, had), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(!had[0] && had[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_lies_behind_counts_while_a_block_is_cleared),
		cmocka_unit_test(however_resized_all_comes_out_even),
		cmocka_unit_test(who_frees_many_has_a_heap),
	};

	return cmocka_run_group_tests_name("accounts of runs", tests, NULL, NULL);
}
