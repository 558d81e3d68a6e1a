/* SPDX-License-Identifier: MIT */
/* realloc and reallocarray as libc's names: growing and shrinking across every tier, with contents verified. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <strata/strata.h>

#include "support.h"

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Resizes to size, checks what the contract says of the result, and writes the pattern over the new size. */
static void *resized(void *block, size_t old, size_t size, uint64_t seed)
{
	block = realloc(block, size);
	assert_non_null(block);
	assert_true(is_aligned(block, size >= 16 ? 16 : 8));
	assert_true(malloc_usable_size(block) >= size);
	assert_true(pattern_holds(block, least(old, size), seed));
	pattern_write(block, size, seed);
	return block;
}

/* A block of every tier becomes a block of every tier. */
static void any_size_becomes_any_other(void **state)
{
	const size_t sizes[] = {
	    1, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 100, 255, 256, 257, 503, 504, 505, 511, 512, 513, 576, 577, 1000,
	    1024, 1025, 2048, 4095, 4096, 4097, 5120, 8191, 8193, 16384, 16385, 32768, 40961, 49153, 65535, 65536,
	    65537, 69632, 69633, 131072, 200001, 262144, 262145, MIB - 1, MIB + 1, 2 * MIB - 1, 2 * MIB, 2 * MIB + 1,
	    3 * MIB,
	};
	const size_t count = sizeof sizes / sizeof *sizes;

	(void)state;
	for (size_t from = 0; from < count; from++)
		for (size_t to = 0; to < count; to++) {
			void *block = malloc(sizes[from]);

			assert_non_null(block);
			pattern_write(block, sizes[from], from);
			free(resized(block, sizes[from], sizes[to], from));
		}
}

/* One of the native calls may be aligned to 8 only: what realloc returns is not, from 16 bytes on. */
static void native_blocks_become_aligned(void **state)
{
	void *blocks[64];
	const size_t count = sizeof blocks / sizeof *blocks;

	(void)state;
	/* The first calls of a thread go by the slow path, and look at the clock there. */
	for (size_t i = 0; i < 20000; i++)
		free(malloc(opaque(64)));
	for (size_t size = 24; size <= 504; size += 16) {
		for (size_t i = 0; i < count; i++) {
			blocks[i] = strata_malloc(size);
			assert_non_null(blocks[i]);
			pattern_write(blocks[i], size, i);
		}
		for (size_t i = 0; i < count; i++)
			free(resized(blocks[i], size, size - i % 4, i));
	}
}

static void growth_step_by_step_keeps_the_contents(void **state)
{
	void *block = NULL;
	size_t size = 0, old = 0;

	(void)state;
	for (size = 1; size < 5000; old = size++)
		block = resized(block, old, size, 5);
	for (; size < 300 * KIB; old = size, size += 509)
		block = resized(block, old, size, 5);
	for (; size < 5 * MIB; old = size, size += 32 * KIB + 1)
		block = resized(block, old, size, 5);
	for (; size <= 64 * MIB; old = size, size += size / 2)
		block = resized(block, old, size, 5);
	free(block);
}

static void shrinking_step_by_step_keeps_the_contents(void **state)
{
	size_t old = 64 * MIB, size = old;
	void *block = malloc(old);

	(void)state;
	assert_non_null(block);
	pattern_write(block, old, 6);
	while (size > 5 * MIB) {
		size -= size / 3;
		block = realloc(block, size);
		assert_non_null(block);
		assert_true(pattern_holds(block, size, 6));
	}
	while (size > 1) {
		size -= size > 300 * KIB ? 64 * KIB + 1 : size > 5000 ? 509 : 1;
		block = realloc(block, size);
		assert_non_null(block);
		assert_true(malloc_usable_size(block) >= size);
		assert_true(pattern_holds(block, least(size, 4096), 6));
	}
	free(block);
}

/* Each interesting size grows to its neighbours and shrinks back, among live blocks that must not be touched. */
static void neighbours_are_not_touched(void **state)
{
	static void *blocks[4096];
	const size_t *sizes;
	size_t count = interesting_sizes(&sizes), used = 0;

	(void)state;
	for (; used < count && sizes[used] <= MIB; used++) {
		blocks[used] = malloc(sizes[used]);
		assert_non_null(blocks[used]);
		pattern_write(blocks[used], sizes[used], used);
	}
	for (size_t i = 0; i < used; i++) {
		size_t larger = sizes[i] + sizes[i] / 2 + 1;

		blocks[i] = resized(blocks[i], sizes[i], larger, i);
		blocks[i] = resized(blocks[i], larger, sizes[i] + 1, i);
	}
	for (size_t i = 0; i < used; i++) {
		assert_true(pattern_holds(blocks[i], sizes[i] + 1, i));
		free(blocks[i]);
	}
}

static void within_the_usable_size_the_block_stays(void **state)
{
	const size_t *sizes;
	size_t count = interesting_sizes(&sizes);

	(void)state;
	if (checked_mode())
		skip();
	for (size_t i = 0; i < count; i++) {
		void *block = malloc(sizes[i] + 1), *again;
		uintptr_t address = (uintptr_t)block;

		assert_non_null(block);
		again = realloc(block, malloc_usable_size(block));
		assert_int_equal((uintptr_t)again, address);
		again = realloc(again, sizes[i] + 1);
		assert_int_equal((uintptr_t)again, address);
		free(again);
	}
}

/* A large shrink must not keep the memory: the pages go back, or serve others. */
static void a_large_shrink_gives_memory_up(void **state)
{
	struct strata_stats before, after;
	void *block = malloc(64 * MIB);

	(void)state;
	assert_non_null(block);
	strata_stats_read(&before, sizeof before);
	block = realloc(block, 100);
	assert_non_null(block);
	strata_stats_read(&after, sizeof after);
	assert_true(after.live_bytes + 32 * MIB < before.live_bytes);
	assert_true(malloc_usable_size(block) < MIB);
	free(block);
}

static void of_null_it_allocates(void **state)
{
	void *block = realloc(opaque_pointer(NULL), 100), *nothing = realloc(opaque_pointer(NULL), opaque(0));

	(void)state;
	assert_non_null(block);
	assert_non_null(nothing);
	assert_true(block != nothing);
	free(block);
	free(nothing);
}

static void to_nothing_it_frees_and_returns_null(void **state)
{
	const size_t *sizes;
	size_t count = interesting_sizes(&sizes);
	struct strata_stats before, after;

	(void)state;
	for (size_t i = 0; i < count; i++) {
		void *block;

		strata_stats_read(&before, sizeof before);
		block = malloc(sizes[i]);
		assert_non_null(block);
		assert_null(realloc(block, opaque(0)));
		strata_stats_read(&after, sizeof after);
		assert_int_equal(after.live_blocks, before.live_blocks);
		assert_int_equal(after.live_bytes, before.live_bytes);
	}
}

static void a_refusal_leaves_the_block(void **state)
{
	const size_t sizes[] = {1, 16, 100, 512, 513, 4096, 65536, 65537, MIB, 3 * MIB};
	const size_t refused[] = {PTRDIFF_MAX,  (size_t)PTRDIFF_MAX + 1, SIZE_MAX, SIZE_MAX - 1,
	                          SIZE_MAX - 15, SIZE_MAX - 4095,         SIZE_MAX - 4096};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		void *block = malloc(sizes[i]);

		assert_non_null(block);
		pattern_write(block, sizes[i], i);
		for (size_t r = 0; r < sizeof refused / sizeof *refused; r++) {
			errno = 0;
			assert_null(realloc(opaque_pointer(block), opaque(refused[r])));
			assert_int_equal(errno, ENOMEM);
			errno = 0;
			assert_null(reallocarray(opaque_pointer(block), opaque(refused[r]), 2));
			assert_int_equal(errno, ENOMEM);
		}
		assert_true(pattern_holds(block, sizes[i], i));
		free(block);
	}
}

static void reallocarray_multiplies(void **state)
{
	unsigned char *block = NULL;
	size_t members = 0;

	(void)state;
	for (; members < 3000; members += 37) {
		block = reallocarray(block, members + 37, 24);
		assert_non_null(block);
		assert_true(malloc_usable_size(block) >= (members + 37) * 24);
		assert_true(pattern_holds(block, members * 24, 9));
		pattern_write(block, (members + 37) * 24, 9);
	}
	errno = 0;
	assert_null(reallocarray(opaque_pointer(block), opaque(SIZE_MAX / 8), 16));
	assert_int_equal(errno, ENOMEM);
	errno = 0;
	assert_null(reallocarray(opaque_pointer(block), opaque((size_t)1 << 32), opaque((size_t)1 << 32)));
	assert_int_equal(errno, ENOMEM);
	assert_true(pattern_holds(block, members * 24, 9));
	assert_null(reallocarray(opaque_pointer(block), opaque(0), 24));
}

static void an_aligned_block_keeps_its_contents(void **state)
{
	(void)state;
	for (size_t alignment = 16; alignment <= 2 * MIB; alignment *= 2)
		for (size_t size = 1; size < 3 * MIB; size = size * 5 + 3) {
			void *block = aligned_alloc(alignment, size);

			assert_non_null(block);
			pattern_write(block, size, alignment);
			block = resized(block, size, size * 2 + 1, alignment);
			free(resized(block, size * 2 + 1, size / 2 + 1, alignment));
		}
}

/* Where a block lay that was moved by exchanging its pages, the next one lies: calls of the system may be given it, and what they write is
 * not there for calloc. */
static void a_place_that_was_left_is_as_new(void **state)
{
	enum { TRIES = 32 };
	const size_t size = 2 * MIB;
	/* Kept, so that each try meets another heap: where there is room behind the block it would always grow where it is. */
	void *kept[2 * TRIES];
	size_t count = 0;
	bool tried = false;
	int random = open("/dev/urandom", O_RDONLY);

	(void)state;
	if (checked_mode())
		skip();
	assert_true(random >= 0);
	for (int i = 0; i < TRIES && !tried; i++) {
		char *block = strata_malloc(size), *fence = strata_malloc(size), *left = block, *next;

		memset(block, 1, size);
		block = strata_realloc(block, 2 * size);
		next = strata_malloc(size);
		assert_true(block && fence && next);
		tried = block != left && next == left;
		if (read(random, next, size) <= 0)
			fatal("read");
		strata_free(next);
		next = strata_calloc(1, size);
		assert_non_null(next);
		for (size_t at = 0; at < size; at++)
			if (next[at] != 0)
				fatal("byte %zu is not zero", at);
		strata_free(next);
		kept[count++] = fence;
		kept[count++] = block;
	}
	while (count > 0)
		strata_free(kept[--count]);
	close(random);
	assert_true(tried);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(any_size_becomes_any_other),
	    cmocka_unit_test(native_blocks_become_aligned),
	    cmocka_unit_test(growth_step_by_step_keeps_the_contents),
	    cmocka_unit_test(shrinking_step_by_step_keeps_the_contents),
	    cmocka_unit_test(neighbours_are_not_touched),
	    cmocka_unit_test(within_the_usable_size_the_block_stays),
	    cmocka_unit_test(a_large_shrink_gives_memory_up),
	    cmocka_unit_test(of_null_it_allocates),
	    cmocka_unit_test(to_nothing_it_frees_and_returns_null),
	    cmocka_unit_test(a_refusal_leaves_the_block),
	    cmocka_unit_test(reallocarray_multiplies),
	    cmocka_unit_test(an_aligned_block_keeps_its_contents),
	    cmocka_unit_test(a_place_that_was_left_is_as_new),
	};

	require_strata_serves_malloc();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
