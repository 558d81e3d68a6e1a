/* SPDX-License-Identifier: MIT */
/* aligned_alloc, posix_memalign, memalign, valloc and pvalloc as libc's names: 8 bytes to 4 MiB, what they refuse. */
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support.h"

#define LARGEST (4 * MIB)

static const size_t sizes[] = {
    1, 7, 8, 15, 16, 17, 24, 40, 63, 64, 65, 100, 128, 200, 256, 500, 512, 513, 520, 640, 1000, 1024, 1025, 2048, 3000,
    4095, 4096, 4097, 5000, 8192, 12288, 16385, 32768, 40000, 65535, 65536, 65537, 100000, MIB, 2 * MIB + 1, 5 * MIB,
};
#define COUNT (sizeof sizes / sizeof *sizes)

static void *by_posix_memalign(size_t alignment, size_t size)
{
	void *block = NULL;

	assert_int_equal(posix_memalign(&block, alignment, size), 0);
	return block;
}

/* For each alignment blocks of all sizes live at once, so that an overlap shows; then again from dirty memory. */
static void check_aligned(void *(*allocate)(size_t alignment, size_t size))
{
	void *blocks[COUNT];

	for (size_t alignment = 8; alignment <= LARGEST; alignment *= 2)
		for (int round = 0; round < 2; round++) {
			for (size_t i = 0; i < COUNT; i++) {
				blocks[i] = allocate(alignment, sizes[i]);
				assert_non_null(blocks[i]);
				assert_true(is_aligned(blocks[i], alignment));
				assert_true(malloc_usable_size(blocks[i]) >= sizes[i]);
				pattern_write_ends(blocks[i], malloc_usable_size(blocks[i]), i);
			}
			for (size_t i = 0; i < COUNT; i++) {
				assert_true(pattern_ends_hold(blocks[i], malloc_usable_size(blocks[i]), i));
				free(blocks[i]);
			}
		}
}

static void aligned_alloc_aligns(void **state)
{
	(void)state;
	check_aligned(aligned_alloc);
}

static void posix_memalign_aligns(void **state)
{
	(void)state;
	check_aligned(by_posix_memalign);
}

static void memalign_aligns(void **state)
{
	(void)state;
	check_aligned(memalign);
}

/* Many blocks of one class and alignment: no pool may be left out, none counted twice. */
static void many_aligned_blocks_do_not_overlap(void **state)
{
	enum { MANY = 2000 };
	static void *blocks[MANY];

	(void)state;
	for (size_t alignment = 32; alignment <= 4096; alignment *= 2) {
		for (size_t i = 0; i < MANY; i++) {
			blocks[i] = aligned_alloc(alignment, 24 + i % 500);
			assert_non_null(blocks[i]);
			assert_true(is_aligned(blocks[i], alignment));
			pattern_write(blocks[i], malloc_usable_size(blocks[i]), i);
		}
		for (size_t i = 0; i < MANY; i++) {
			assert_true(pattern_holds(blocks[i], malloc_usable_size(blocks[i]), i));
			free(blocks[i]);
		}
	}
}

static void page_functions_give_whole_pages(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		void *block = valloc(sizes[i]), *whole = pvalloc(sizes[i]);
		size_t rounded = (sizes[i] + page - 1) / page * page;

		assert_non_null(block);
		assert_non_null(whole);
		assert_true(is_aligned(block, page));
		assert_true(is_aligned(whole, page));
		assert_true(malloc_usable_size(block) >= sizes[i]);
		assert_true(malloc_usable_size(whole) >= rounded);
		pattern_write(block, sizes[i], i);
		pattern_write(whole, rounded, ~i);
		assert_true(pattern_holds(block, sizes[i], i));
		assert_true(pattern_holds(whole, rounded, ~i));
		free(block);
		free(whole);
	}
}

static void of_nothing_they_give_distinct_aligned_blocks(void **state)
{
	void *blocks[4];

	(void)state;
	for (size_t alignment = 8; alignment <= LARGEST; alignment *= 2) {
		blocks[0] = aligned_alloc(alignment, opaque(0));
		blocks[1] = by_posix_memalign(alignment, opaque(0));
		blocks[2] = memalign(alignment, opaque(0));
		blocks[3] = valloc(opaque(0));
		for (int i = 0; i < 4; i++) {
			assert_non_null(blocks[i]);
			assert_true(i == 3 || is_aligned(blocks[i], alignment));
			for (int other = 0; other < i; other++)
				assert_true(blocks[i] != blocks[other]);
		}
		for (int i = 0; i < 4; i++)
			free(blocks[i]);
	}
}

static void alignments_that_are_no_power_of_two_give_einval(void **state)
{
	const size_t alignments[] = {3, 5, 6, 7, 9, 12, 24, 48, 100, 4095, 4097, 3 * MIB, SIZE_MAX, SIZE_MAX / 2};
	char untouched;

	(void)state;
	for (size_t i = 0; i < sizeof alignments / sizeof *alignments; i++) {
		void *block = &untouched;

		errno = 0;
		assert_null(aligned_alloc(opaque(alignments[i]), 100));
		assert_int_equal(errno, EINVAL);
		errno = 4711;
		assert_int_equal(posix_memalign(&block, opaque(alignments[i]), 100), EINVAL);
		assert_int_equal(errno, 4711);
		assert_ptr_equal(block, &untouched);
	}
	errno = 0;
	assert_null(aligned_alloc(opaque(0), 100));
	assert_int_equal(errno, EINVAL);
}

/* glibc's memalign rounds such an alignment up, which programs may count on; EINVAL is as right. */
static void memalign_rounds_up_or_refuses(void **state)
{
	const size_t alignments[][2] = {{3, 4}, {12, 16}, {24, 32}, {100, 128}, {4097, 8192}, {3 * MIB, 4 * MIB}};

	(void)state;
	for (size_t i = 0; i < sizeof alignments / sizeof *alignments; i++) {
		void *block;

		errno = 0;
		block = memalign(opaque(alignments[i][0]), 100);
		assert_true(block != NULL ? is_aligned(block, alignments[i][1]) : errno == EINVAL);
		free(block);
	}
	errno = 0;
	assert_null(memalign(opaque(SIZE_MAX), 100));
	assert_int_equal(errno, EINVAL);
}

/* POSIX: also a multiple of the size of a pointer. */
static void posix_memalign_refuses_less_than_a_pointer(void **state)
{
	(void)state;
	for (size_t alignment = 0; alignment < sizeof(void *); alignment++) {
		void *block = state;

		assert_int_equal(posix_memalign(&block, opaque(alignment), 100), EINVAL);
		assert_ptr_equal(block, state);
	}
}

static void sizes_beyond_reason_give_enomem(void **state)
{
	const size_t refused[] = {PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1, SIZE_MAX - 4096, SIZE_MAX - 100, SIZE_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		for (size_t alignment = 8; alignment <= LARGEST; alignment *= 2) {
			void *block = state;

			errno = 0;
			assert_null(aligned_alloc(alignment, opaque(refused[i])));
			assert_int_equal(errno, ENOMEM);
			errno = 0;
			assert_null(memalign(alignment, opaque(refused[i])));
			assert_int_equal(errno, ENOMEM);
			errno = 0;
			assert_int_equal(posix_memalign(&block, alignment, opaque(refused[i])), ENOMEM);
			assert_int_equal(errno, ENOMEM);
			assert_ptr_equal(block, state);
		}
		errno = 0;
		assert_null(valloc(opaque(refused[i])));
		assert_int_equal(errno, ENOMEM);
		errno = 0;
		assert_null(pvalloc(opaque(refused[i])));
		assert_int_equal(errno, ENOMEM);
	}
}

/* Whichever block was freed last, and wherever it lies. */
static void what_was_just_freed_serves_only_if_it_is_aligned(void **state)
{
	enum { RUNS = 300 };
	const size_t size = MIB;
	static void *blocks[RUNS];

	(void)state;
	for (size_t i = 0; i < RUNS; i++)
		assert_non_null(blocks[i] = malloc(size));
	for (size_t alignment = 8 * KIB; alignment <= 256 * MIB; alignment *= 2)
		for (size_t i = 0; i < RUNS; i++) {
			free(blocks[i]);
			blocks[i] = aligned_alloc(alignment, size);
			assert_non_null(blocks[i]);
			assert_true(is_aligned(blocks[i], alignment));
			free(blocks[i]);
			assert_non_null(blocks[i] = malloc(size));
		}
	for (size_t i = 0; i < RUNS; i++)
		free(blocks[i]);
}

static void alignments_beyond_reason_give_enomem(void **state)
{
	(void)state;
	for (size_t alignment = (size_t)1 << 63; alignment >= (size_t)1 << 50; alignment /= 2) {
		errno = 0;
		assert_null(aligned_alloc(opaque(alignment), 64));
		assert_int_equal(errno, ENOMEM);
		errno = 0;
		assert_null(aligned_alloc(opaque(alignment), opaque(PTRDIFF_MAX)));
		assert_int_equal(errno, ENOMEM);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(aligned_alloc_aligns),
	    cmocka_unit_test(posix_memalign_aligns),
	    cmocka_unit_test(memalign_aligns),
	    cmocka_unit_test(many_aligned_blocks_do_not_overlap),
	    cmocka_unit_test(page_functions_give_whole_pages),
	    cmocka_unit_test(of_nothing_they_give_distinct_aligned_blocks),
	    cmocka_unit_test(alignments_that_are_no_power_of_two_give_einval),
	    cmocka_unit_test(memalign_rounds_up_or_refuses),
	    cmocka_unit_test(posix_memalign_refuses_less_than_a_pointer),
	    cmocka_unit_test(sizes_beyond_reason_give_enomem),
	    cmocka_unit_test(what_was_just_freed_serves_only_if_it_is_aligned),
	    cmocka_unit_test(alignments_beyond_reason_give_enomem),
	};

	require_strata_serves_malloc();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
