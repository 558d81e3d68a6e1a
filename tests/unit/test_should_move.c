/* SPDX-License-Identifier: MIT */
/*
 * strata_should_move: a server that moves what it says ends up with hardly more memory than its blocks need, and is told
 * so in the end; any pointer may be asked about.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include <strata/strata.h>

#include "support.h"

#define MOST 200000
#define PASSES 12

static void *blocks[MOST];
static size_t block_count;
static size_t block_size;

static void *fill(void *unused)
{
	for (size_t i = 0; i < block_count; i++) {
		blocks[i] = strata_malloc(block_size);
		if (blocks[i] == NULL)
			fatal("no memory");
	}
	return unused;
}

/* Leaves every step-th, or as many by chance; they close ranks at the front of blocks. */
static size_t thin_out(size_t step, bool by_chance)
{
	uint64_t random = 42;
	size_t left = 0;

	for (size_t i = 0; i < block_count; i++) {
		if (by_chance ? random_below(&random, step) == 0 : i % step == 0) {
			blocks[left] = blocks[i];
			pattern_write(blocks[left], block_size, left);
			left++;
		} else {
			strata_free(blocks[i]);
		}
	}
	return left;
}

static size_t move_all(size_t count)
{
	size_t moved = 0;

	for (size_t i = 0; i < count; i++) {
		void *to;

		if (!strata_should_move(blocks[i]))
			continue;
		to = strata_malloc(block_size);
		if (to == NULL)
			fatal("no memory");
		memcpy(to, blocks[i], block_size);
		strata_free(blocks[i]);
		blocks[i] = to;
		moved++;
	}
	return moved;
}

static uint64_t heap_bytes(void)
{
	strata_trim();
	return totals().heap_bytes;
}

static void defragment(size_t size, size_t step, bool by_chance, bool by_another_thread)
{
	uint64_t before = heap_bytes(), scattered, after, floor;
	size_t resident, passes = 0, moved, left;

	block_size = size;
	block_count = size < 1000 ? MOST : 64 * MIB / size;
	if (by_another_thread) {
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, fill, NULL), 0);
		pthread_join(thread, NULL);
	} else {
		fill(NULL);
	}
	left = thin_out(step, by_chance);
	scattered = heap_bytes() - before;
	resident = resident_bytes();
	do {
		moved = move_all(left);
	} while (moved > 0 && ++passes < PASSES);
	after = heap_bytes() - before;
	floor = left * strata_good_size(size);
	assert_true(passes < PASSES);

	/* Under check:1 the quarantine holds on to pools. */
	if (!checked_mode()) {
		/* Pools of several pages have given back those that are empty: what is left are pages with a block. */
		assert_true(scattered > (size > OBJECT_MAX ? 3 * floor / 2 : 3 * floor));
		/* The tail of a pool that no block fits into, one partly used pool, pages in reserve. */
		assert_true(after < floor + floor / 8 + 512 * KIB);
		assert_true(resident - resident_bytes() > (scattered - after) / 2);
	}
	for (size_t i = 0; i < left; i++) {
		assert_true(pattern_holds(blocks[i], size, i));
		strata_free(blocks[i]);
	}
}

static void scattered_blocks_are_brought_together(void **state)
{
	const size_t sizes[] = {8, 48, 400, 1024, 3000};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		defragment(sizes[i], 8, true, false);
		defragment(sizes[i], sizes[i] < 100 ? 64 : 5, false, false);
	}
}

static void blocks_of_a_thread_that_ended_are_brought_together(void **state)
{
	(void)state;
	defragment(48, 10, true, true);
	defragment(400, 10, true, true);
}

/* What was filled once is moved again when it has become sparse. */
static void blocks_are_brought_together_again_and_again(void **state)
{
	uint64_t before = heap_bytes();
	size_t left;

	(void)state;
	block_size = 48;
	block_count = left = MOST;
	fill(NULL);
	for (int turn = 0; turn < 3; turn++) {
		block_count = left;
		left = thin_out(6, true);
		for (size_t passes = 0; move_all(left) > 0; passes++)
			assert_true(passes < PASSES);
	}
	if (!checked_mode())
		assert_true(heap_bytes() - before < left * block_size * 9 / 8 + 512 * KIB);
	for (size_t i = 0; i < left; i++)
		strata_free(blocks[i]);
}

static void dense_blocks_stay(void **state)
{
	size_t moved;

	(void)state;
	block_size = 64;
	block_count = MOST;
	fill(NULL);
	moved = move_all(MOST);
	/* At most a pool's worth at the end, and what was free here and there before. */
	assert_true(moved < 300);
	for (size_t i = 0; i < MOST; i++)
		strata_free(blocks[i]);
}

static void any_pointer_may_be_asked_about(void **state)
{
	static char constant[64];
	char local[64];
	void *mapping = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *run = strata_malloc(3 * MIB), *small = strata_malloc(40);

	(void)state;
	assert_int_equal(strata_should_move(NULL), 0);
	assert_int_equal(strata_should_move(local), 0);
	assert_int_equal(strata_should_move(constant), 0);
	assert_int_equal(strata_should_move(mapping), 0);
	assert_int_equal(strata_should_move((void *)UINTPTR_MAX), 0);
	assert_int_equal(strata_should_move((void *)8), 0);
	assert_int_equal(strata_should_move(run), 0);
	assert_int_equal(strata_should_move((char *)run + MIB + 3), 0);
	for (uintptr_t page = (uintptr_t)small & ~(uintptr_t)0xfffff; page < (uintptr_t)small + MIB; page += 4096)
		strata_should_move((void *)page);
	strata_free(run);
	strata_free(small);
	munmap(mapping, 8192);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_pointer_may_be_asked_about),
		cmocka_unit_test(scattered_blocks_are_brought_together),
		cmocka_unit_test(blocks_of_a_thread_that_ended_are_brought_together),
		cmocka_unit_test(blocks_are_brought_together_again_and_again),
		cmocka_unit_test(dense_blocks_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
