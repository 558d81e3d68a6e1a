/* SPDX-License-Identifier: MIT */
/*
 * malloc, calloc, free and malloc_usable_size as libc's names, against the contract: over every size class and tier
 * boundary, with contents verified.
 */
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "support.h"

void free_sized(void *block, size_t size);
void free_aligned_sized(void *block, size_t alignment, size_t size);

static size_t alignment_due(size_t size)
{
	return size >= 16 ? 16 : 8;
}

static void malloc_gives_usable_aligned_blocks_of_every_size(void **state)
{
	const size_t *sizes;
	size_t count = interesting_sizes(&sizes);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		void *block = malloc(sizes[i]);

		assert_non_null(block);
		assert_true(is_aligned(block, alignment_due(sizes[i])));
		assert_true(malloc_usable_size(block) >= sizes[i]);
		pattern_write(block, malloc_usable_size(block), i);
		assert_true(pattern_holds(block, malloc_usable_size(block), i));
		free(block);
	}
}

/* All blocks live at once, each written over its whole usable size: any overlap destroys a neighbour's pattern. */
static void live_blocks_do_not_overlap(void **state)
{
	enum { EACH = 3, MOST = 4096 * EACH };
	static void *blocks[MOST];
	static size_t lengths[MOST];
	const size_t *sizes;
	size_t count = interesting_sizes(&sizes), used = 0;

	(void)state;
	for (size_t i = 0; i < count && sizes[i] <= 2 * MIB + 1; i++)
		for (int copy = 0; copy < (sizes[i] <= MEDIUM_MAX ? EACH : 1); copy++) {
			blocks[used] = malloc(sizes[i]);
			assert_non_null(blocks[used]);
			pattern_write(blocks[used], malloc_usable_size(blocks[used]), used);
			used++;
		}
	for (size_t i = 0; i < used; i++)
		assert_true(pattern_holds(blocks[i], malloc_usable_size(blocks[i]), i));
	/* Every second one goes and comes again; the rest must not notice. */
	for (size_t i = 0; i < used; i += 2) {
		lengths[i] = malloc_usable_size(blocks[i]);
		free(blocks[i]);
	}
	for (size_t i = 0; i < used; i += 2) {
		blocks[i] = malloc(lengths[i]);
		assert_non_null(blocks[i]);
		pattern_write(blocks[i], lengths[i], ~i);
	}
	for (size_t i = 0; i < used; i++) {
		if (i % 2 == 0)
			assert_true(pattern_holds(blocks[i], lengths[i], ~i));
		else
			assert_true(pattern_holds(blocks[i], malloc_usable_size(blocks[i]), i));
		free(blocks[i]);
	}
}

/* Thousands of one class: many pools, and the cache overflows on the way back. */
static void many_blocks_of_one_class_keep_their_contents(void **state)
{
	enum { MOST = 20000 };
	static const size_t classes[] = {8, 16, 24, 48, 64, 128, 256, 496, 504, 512, 640, 1024, 2048, 4096};
	static void *blocks[MOST];

	(void)state;
	for (size_t c = 0; c < sizeof classes / sizeof *classes; c++) {
		size_t size = classes[c], count = size <= 512 ? MOST : MOST / 10;

		for (size_t i = 0; i < count; i++) {
			blocks[i] = malloc(size);
			assert_non_null(blocks[i]);
			pattern_write(blocks[i], size, i);
		}
		for (size_t i = 0; i < count; i++) {
			/* 7919 is prime and divides no count: an order far from the one of allocation. */
			size_t at = i * 7919 % count;

			assert_true(pattern_holds(blocks[at], size, at));
			free(blocks[at]);
		}
	}
}

static int compare_addresses(const void *left, const void *right)
{
	uintptr_t a = *(const uintptr_t *)left, b = *(const uintptr_t *)right;

	return (a > b) - (a < b);
}

static void malloc_of_nothing_gives_distinct_blocks(void **state)
{
	enum { COUNT = 3000 };
	static uintptr_t addresses[COUNT];

	(void)state;
	for (int i = 0; i < COUNT; i += 3) {
		addresses[i] = (uintptr_t)malloc(opaque(0));
		addresses[i + 1] = (uintptr_t)calloc(opaque(0), 8);
		addresses[i + 2] = (uintptr_t)calloc(8, opaque(0));
	}
	qsort(addresses, COUNT, sizeof *addresses, compare_addresses);
	assert_true(addresses[0] != 0);
	for (int i = 1; i < COUNT; i++)
		assert_true(addresses[i - 1] < addresses[i]);
	for (int i = 0; i < COUNT; i++)
		free((void *)addresses[i]);
}

/* Where the system would refuse it to any program: by its heuristic, what exceeds all memory that it has. */
static void more_than_the_machine_has_is_refused(void **state)
{
	const size_t large = 300 * MIB;
	size_t beyond = beyond_the_machine();
	char *block = malloc(large);

	(void)state;
	if (beyond == 0)
		skip();
	errno = 0;
	assert_null(malloc(opaque(beyond)));
	assert_int_equal(errno, ENOMEM);
	/* Also where the block could stay: behind so large a one nothing lies. */
	assert_non_null(block);
	pattern_write_ends(block, large, 1);
	errno = 0;
	assert_null(realloc(opaque_pointer(block), opaque(beyond + large)));
	assert_int_equal(errno, ENOMEM);
	assert_true(pattern_ends_hold(block, large, 1));
	free(block);
}

static void sizes_beyond_reason_give_enomem(void **state)
{
	const size_t sizes[] = {
	    PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1, (size_t)PTRDIFF_MAX - 4096, SIZE_MAX, SIZE_MAX - 7, SIZE_MAX - 15,
	    SIZE_MAX - 16, SIZE_MAX - 4095, SIZE_MAX - 4096, SIZE_MAX - 2 * MIB,
	};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		errno = 0;
		assert_null(malloc(opaque(sizes[i])));
		assert_int_equal(errno, ENOMEM);
		errno = 0;
		assert_null(calloc(opaque(sizes[i]), 1));
		assert_int_equal(errno, ENOMEM);
		errno = 0;
		assert_null(calloc(1, opaque(sizes[i])));
		assert_int_equal(errno, ENOMEM);
	}
}

static void calloc_refuses_products_that_overflow(void **state)
{
	const size_t factors[][2] = {
	    {SIZE_MAX, 2}, {SIZE_MAX / 2 + 1, 2}, {SIZE_MAX / 16 + 2, 16}, {(size_t)1 << 32, (size_t)1 << 32},
	    {((size_t)1 << 32) + 1, ((size_t)1 << 32) + 1}, {SIZE_MAX, SIZE_MAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof factors / sizeof *factors; i++) {
		errno = 0;
		assert_null(calloc(opaque(factors[i][0]), opaque(factors[i][1])));
		assert_int_equal(errno, ENOMEM);
		errno = 0;
		assert_null(calloc(opaque(factors[i][1]), opaque(factors[i][0])));
		assert_int_equal(errno, ENOMEM);
	}
}

static void calloc_is_zero_after_dirty_reuse(void **state)
{
	const size_t *sizes;
	size_t count = interesting_sizes(&sizes);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		/* The second round meets the blocks of the first, dirtied over their usable size. */
		for (int round = 0; round < 2; round++) {
			void *blocks[4];
			size_t each = sizes[i] <= MEDIUM_MAX ? 4 : 1;

			for (size_t b = 0; b < each; b++) {
				blocks[b] = b % 2 ? calloc(1, sizes[i]) : calloc(sizes[i], 1);
				assert_non_null(blocks[b]);
				assert_true(is_aligned(blocks[b], alignment_due(sizes[i])));
				assert_true(all_zero(blocks[b], malloc_usable_size(blocks[b])));
				memset(blocks[b], 0xa5, malloc_usable_size(blocks[b]));
				opaque_pointer(blocks[b]);
			}
			for (size_t b = 0; b < each; b++)
				free(blocks[b]);
		}
	}
}

static void calloc_is_zero_over_count_times_size(void **state)
{
	(void)state;
	for (size_t members = 1; members < 300; members += 7)
		for (size_t size = 1; size < 300; size += 11) {
			unsigned char *block = malloc(members * size);

			assert_non_null(block);
			memset(block, 0xff, members * size);
			opaque_pointer(block);
			free(block);
			block = calloc(members, size);
			assert_non_null(block);
			assert_true(all_zero(block, members * size));
			free(block);
		}
}

static void free_preserves_errno(void **state)
{
	const size_t *sizes;
	size_t count = interesting_sizes(&sizes);
	static void *blocks[4096];

	(void)state;
	errno = 4711;
	free(NULL);
	assert_int_equal(errno, 4711);
	for (size_t i = 0; i < count; i++) {
		void *block = malloc(sizes[i]);

		assert_non_null(block);
		errno = 4711;
		free(block);
		assert_int_equal(errno, 4711);
	}
	/* The way home of thousands of blocks, memory given back included. */
	for (size_t i = 0; i < 4096; i++)
		assert_non_null(blocks[i] = malloc(i % 64 ? i : 100000 + i));
	for (size_t i = 0; i < 4096; i++) {
		errno = 4711;
		free(blocks[i]);
		assert_int_equal(errno, 4711);
	}
}

static void sized_frees_take_what_was_requested_up_to_the_usable_size(void **state)
{
	const size_t *sizes;
	size_t count = interesting_sizes(&sizes);

	(void)state;
	free_sized(NULL, 0);
	free_aligned_sized(NULL, 64, 0);
	for (size_t i = 0; i < count; i++) {
		void *block = malloc(sizes[i]);

		assert_non_null(block);
		errno = 4711;
		free_sized(block, sizes[i]);
		assert_int_equal(errno, 4711);
		block = calloc(1, sizes[i]);
		assert_non_null(block);
		free_sized(block, sizes[i]);
		block = aligned_alloc(64, sizes[i]);
		assert_non_null(block);
		free_aligned_sized(block, 64, sizes[i]);
		assert_int_equal(errno, 4711);
	}
}

static void nothing_has_no_usable_size(void **state)
{
	(void)state;
	assert_int_equal(malloc_usable_size(NULL), 0);
}

/* More than the memory of any machine over the whole loop, one block at a time: it must neither fail nor grow. */
/* What was never touched, or for less than half of it, is not cleared byte by byte. */
static void calloc_makes_nothing_resident(void **state)
{
	const size_t size = 256 * MIB;
	struct rusage before, after;
	char *block = malloc(size);

	(void)state;
	assert_non_null(block);
	/* Here and there nothing, a little, and all of what it is cleared by. */
	for (size_t at = 0; at < 32 * MIB; at += MIB)
		memset(block + at, 0xa5, at / MIB % 3 * (300 * KIB));
	opaque_pointer(block);
	getrusage(RUSAGE_SELF, &before);
	free(block);
	block = calloc(1, size);
	assert_non_null(block);
	getrusage(RUSAGE_SELF, &after);
	assert_true((size_t)(after.ru_maxrss - before.ru_maxrss) * 1024 < 16 * MIB);
	assert_true(all_zero(block, size));
	free(block);
}

/* Also where freed blocks are filled, to see who writes to them. */
static void freeing_makes_nothing_resident(void **state)
{
	struct rusage before, after;
	char *block = malloc(1024 * MIB);

	(void)state;
	assert_non_null(block);
	*(volatile char *)block = 1;
	getrusage(RUSAGE_SELF, &before);
	free(block);
	getrusage(RUSAGE_SELF, &after);
	assert_true((size_t)(after.ru_maxrss - before.ru_maxrss) * 1024 < 16 * MIB);
}

static void freed_blocks_are_used_again(void **state)
{
	const size_t sizes[] = {24, 512, 4096, 65536, 65537, MIB, 2 * MIB + 1, 40 * MIB};
	/* A checked free writes over the whole block. */
	const size_t rounds = checked_mode() ? 100 : 64 * KIB;

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t before, after;

		free(malloc(sizes[i]));
		before = resident_bytes();
		for (size_t round = 0; round < rounds; round++) {
			char *block = malloc(sizes[i]);

			assert_non_null(block);
			block[0] = block[sizes[i] - 1] = 1;
			free(opaque_pointer(block));
		}
		after = resident_bytes();
		assert_true(after < before + sizes[i] + 8 * MIB);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(malloc_gives_usable_aligned_blocks_of_every_size),
	    cmocka_unit_test(live_blocks_do_not_overlap),
	    cmocka_unit_test(many_blocks_of_one_class_keep_their_contents),
	    cmocka_unit_test(malloc_of_nothing_gives_distinct_blocks),
	    cmocka_unit_test(sizes_beyond_reason_give_enomem),
	    cmocka_unit_test(more_than_the_machine_has_is_refused),
	    cmocka_unit_test(calloc_refuses_products_that_overflow),
	    cmocka_unit_test(calloc_is_zero_after_dirty_reuse),
	    cmocka_unit_test(calloc_is_zero_over_count_times_size),
	    cmocka_unit_test(free_preserves_errno),
	    cmocka_unit_test(sized_frees_take_what_was_requested_up_to_the_usable_size),
	    cmocka_unit_test(nothing_has_no_usable_size),
	    cmocka_unit_test(freed_blocks_are_used_again),
	    cmocka_unit_test(freeing_makes_nothing_resident),
	    cmocka_unit_test(calloc_makes_nothing_resident),
	};

	require_strata_serves_malloc();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
