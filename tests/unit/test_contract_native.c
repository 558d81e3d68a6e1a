/* SPDX-License-Identifier: MIT */
/*
 * The native interface (strata_*) against the contract: 8-byte classes, good sizes, batches, sized frees. Uses no name
 * of libc's malloc family for what it tests, so it also runs where that belongs to a sanitizer.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <strata/strata.h>

#include "support.h"

/* Static: a test that keeps its pointers in blocks would test itself. */
static void *blocks[20000];
#define MOST (sizeof blocks / sizeof *blocks)

static size_t alignment_due(size_t size)
{
	return size > OBJECT_MAX || (size > 8 && (size + 7) / 8 % 2 == 0) ? 16 : 8;
}

static void blocks_of_every_size_are_usable_and_aligned(void **state)
{
	const size_t *sizes;
	size_t count = interesting_sizes(&sizes);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		void *block = strata_malloc(sizes[i]);
		size_t usable = strata_usable_size(block);

		assert_non_null(block);
		assert_true(is_aligned(block, alignment_due(sizes[i])));
		assert_true(usable >= sizes[i]);
		pattern_write(block, usable, i);
		assert_true(pattern_holds(block, usable, i));
		strata_free(block);
	}
	assert_int_equal(strata_usable_size(NULL), 0);
	strata_free(NULL);
	strata_free_sized(NULL, 0);
}

static void live_blocks_do_not_overlap(void **state)
{
	const size_t *sizes;
	size_t count = interesting_sizes(&sizes), used = 0;

	(void)state;
	for (size_t i = 0; i < count && sizes[i] <= MIB; i++)
		for (int copy = 0; copy < (sizes[i] <= 4096 ? 8 : 1); copy++) {
			assert_true(used < MOST);
			blocks[used] = strata_malloc(sizes[i]);
			assert_non_null(blocks[used]);
			pattern_write(blocks[used], strata_usable_size(blocks[used]), used);
			used++;
		}
	for (size_t i = 0; i < used; i++) {
		assert_true(pattern_holds(blocks[i], strata_usable_size(blocks[i]), i));
		strata_free(blocks[i]);
	}
}

static void good_size_is_what_a_fresh_block_makes_usable(void **state)
{
	size_t last = 0;

	(void)state;
	for (size_t size = checked_mode() ? 1 : 0; size <= MIB; size++) {
		void *block = strata_malloc(size);
		size_t good = strata_good_size(size);

		if (block == NULL || strata_usable_size(block) != good || good < size || good < last)
			fail_msg("size %zu: good size %zu, usable %zu", size, good, strata_usable_size(block));
		strata_free(block);
		last = good;
	}
	for (size_t size = MIB; size <= 64 * MIB; size = size * 5 / 4 + 1) {
		void *block = strata_malloc(size);

		assert_non_null(block);
		assert_int_equal(strata_usable_size(block), strata_good_size(size));
		strata_free(block);
	}
}

static void good_sizes_are_the_stated_classes(void **state)
{
	(void)state;
	/* Checked blocks end where the request ended. */
	if (checked_mode())
		skip();
	for (size_t size = 1; size <= OBJECT_MAX; size++)
		assert_int_equal(strata_good_size(size), (size + 7) / 8 * 8);
	assert_int_equal(strata_good_size(0), 8);
	for (size_t size = OBJECT_MAX + 1; size <= MEDIUM_MAX; size++) {
		size_t good = strata_good_size(size), limit = size <= 4096 ? size / 8 : size / 4;

		assert_true(good >= size && good - size <= limit);
		assert_int_equal(good % 16, 0);
		assert_int_equal(strata_good_size(good), good);
	}
	for (size_t size = MEDIUM_MAX + 1; size <= 4 * MIB; size += 511)
		assert_int_equal(strata_good_size(size) % 4096, 0);
	assert_int_equal(strata_good_size((size_t)PTRDIFF_MAX + 1), 0);
	assert_int_equal(strata_good_size(SIZE_MAX), 0);
}

static void calloc_is_zero_after_dirty_reuse(void **state)
{
	const size_t *sizes;
	size_t count = interesting_sizes(&sizes);

	(void)state;
	for (size_t i = 0; i < count && sizes[i] <= 5 * MIB; i++) {
		void *block = strata_malloc(sizes[i]);

		assert_non_null(block);
		memset(block, 0x5a, strata_usable_size(block));
		strata_free(block);
		block = strata_calloc(sizes[i], 1);
		assert_non_null(block);
		assert_true(all_zero(block, sizes[i]));
		memset(block, 0x5a, strata_usable_size(block));
		strata_free(block);
	}
	errno = 0;
	assert_null(strata_calloc(opaque(SIZE_MAX / 2 + 1), 2));
	assert_int_equal(errno, ENOMEM);
}

static void realloc_keeps_the_contents(void **state)
{
	const size_t sizes[] = {1,    8,    9,    24,    500,   512,   513,    520,     4096,        4097,
	                        5000, 8192, 9000, 65536, 65537, 70000, 500000, 2 * MIB, 2 * MIB + 1, 9 * MIB};
	const size_t count = sizeof sizes / sizeof *sizes;

	(void)state;
	for (size_t from = 0; from < count; from++)
		for (size_t to = 0; to < count; to++) {
			size_t kept = sizes[from] < sizes[to] ? sizes[from] : sizes[to];
			void *block = strata_realloc(NULL, sizes[from]);

			assert_non_null(block);
			pattern_write(block, sizes[from], from);
			block = strata_realloc(block, sizes[to]);
			assert_non_null(block);
			assert_true(strata_usable_size(block) >= sizes[to]);
			assert_true(pattern_holds(block, kept, from));
			for (size_t refused = SIZE_MAX; refused > SIZE_MAX / 4; refused = refused / 2 + refused / 4) {
				errno = 0;
				assert_null(strata_realloc(opaque_pointer(block), opaque(refused)));
				assert_int_equal(errno, ENOMEM);
			}
			assert_true(pattern_holds(block, kept, from));
			assert_null(strata_realloc(block, opaque(0)));
		}
}

static void aligned_alloc_takes_every_power_of_two(void **state)
{
	(void)state;
	for (size_t alignment = 1; alignment <= 4 * MIB; alignment *= 2)
		for (size_t size = 0; size < 6 * MIB; size = size * 3 + 1) {
			void *block = strata_aligned_alloc(alignment, size);

			assert_non_null(block);
			assert_true(is_aligned(block, alignment));
			assert_true(strata_usable_size(block) >= size);
			pattern_write_ends(block, size, alignment);
			assert_true(pattern_ends_hold(block, size, alignment));
			strata_free(block);
		}
}

static void aligned_alloc_refuses_the_rest(void **state)
{
	const size_t bad[] = {0, 3, 5, 6, 7, 12, 24, 4095, 4097, SIZE_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		errno = 0;
		assert_null(strata_aligned_alloc(opaque(bad[i]), 100));
		assert_int_equal(errno, EINVAL);
	}
	errno = 0;
	assert_null(strata_aligned_alloc(64, opaque(SIZE_MAX - 32)));
	assert_int_equal(errno, ENOMEM);
	errno = 0;
	assert_null(strata_aligned_alloc(opaque((size_t)1 << 62), 1));
	assert_int_equal(errno, ENOMEM);
}

static void sized_free_takes_requested_to_usable(void **state)
{
	const size_t *sizes;
	size_t count = interesting_sizes(&sizes);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		void *block = strata_malloc(sizes[i]);

		assert_non_null(block);
		errno = 4711;
		strata_free_sized(block, sizes[i]);
		assert_int_equal(errno, 4711);
		if (checked_mode())
			continue;
		block = strata_malloc(sizes[i]);
		assert_non_null(block);
		strata_free_sized(block, strata_usable_size(block));
		assert_int_equal(errno, 4711);
	}
}

static void batches_give_distinct_blocks(void **state)
{
	const size_t sizes[] = {0, 1, 8, 24, 40, 512, 513, 1000, 4096, 20000, 65536, 65537, 300000};

	(void)state;
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		size_t most = sizes[s] <= 512 ? MOST : sizes[s] <= 4096 ? 2000 : 100;

		for (size_t count = 1; count <= most; count = count * 3 + 1) {
			assert_int_equal(strata_malloc_batch(sizes[s], count, blocks), count);
			for (size_t i = 0; i < count; i++) {
				assert_non_null(blocks[i]);
				assert_true(is_aligned(blocks[i], alignment_due(sizes[s])));
				assert_true(checked_mode() ||
					    strata_usable_size(blocks[i]) == strata_good_size(sizes[s]));
				pattern_write(blocks[i], strata_usable_size(blocks[i]), i);
			}
			for (size_t i = 0; i < count; i++)
				assert_true(pattern_holds(blocks[i], strata_usable_size(blocks[i]), i));
			errno = 4711;
			strata_free_batch(blocks, count);
			assert_int_equal(errno, 4711);
		}
	}
}

static void batches_mix_with_single_calls(void **state)
{
	const size_t *sizes;
	size_t count = interesting_sizes(&sizes), used = 0;
	struct strata_stats before, after;

	(void)state;
	strata_stats_read(&before, sizeof before);
	for (; used < count && sizes[used] <= 200000; used++)
		blocks[used] = used % 5 ? strata_malloc(sizes[used]) : NULL;
	strata_free_batch(blocks, used);
	assert_int_equal(strata_malloc_batch(48, 1000, blocks), 1000);
	for (size_t i = 0; i < 1000; i++)
		strata_free(blocks[i]);
	strata_stats_read(&after, sizeof after);
	assert_int_equal(after.live_blocks, before.live_blocks);
	assert_int_equal(after.live_bytes, before.live_bytes);
}

static void batches_of_nothing_or_too_much(void **state)
{
	(void)state;
	assert_int_equal(strata_malloc_batch(64, 0, blocks), 0);
	strata_free_batch(blocks, 0);
	strata_free_batch(NULL, 0);
	errno = 0;
	assert_int_equal(strata_malloc_batch(opaque((size_t)PTRDIFF_MAX + 1), 4, blocks), 0);
	assert_int_equal(errno, ENOMEM);
}

static void blocks_of_nothing_are_distinct(void **state)
{
	(void)state;
	for (size_t i = 0; i < 1000; i++) {
		blocks[i] = strata_malloc(opaque(0));
		assert_non_null(blocks[i]);
		pattern_write(blocks[i], strata_usable_size(blocks[i]), i);
	}
	for (size_t i = 0; i < 1000; i++) {
		assert_true(pattern_holds(blocks[i], strata_usable_size(blocks[i]), i));
		strata_free(blocks[i]);
	}
}

/* Of every class: those at odd multiples of 8 as well. */
static void realloc_leaves_what_fits_where_it_is(void **state)
{
	(void)state;
	if (checked_mode())
		skip();
	for (size_t size = 8; size <= 512; size += 8) {
		void *block = strata_malloc(size);

		assert_ptr_equal(strata_realloc(block, size), block);
		assert_ptr_equal(strata_realloc(block, size - 7), block);
		strata_free(block);
	}
}

static void trim_and_maintain_leave_live_blocks(void **state)
{
	size_t count = 0;

	(void)state;
	for (; count < 4000; count++) {
		blocks[count] = strata_malloc(count * 13 % 9000);
		assert_non_null(blocks[count]);
		pattern_write(blocks[count], count * 13 % 9000, count);
	}
	for (size_t i = 0; i < count; i++) {
		if (i % 500 == 0)
			assert_true(strata_maintain() <= MIB);
		if (i % 1000 == 0)
			strata_trim();
		assert_true(pattern_holds(blocks[i], i * 13 % 9000, i));
		strata_free(blocks[i]);
	}
	strata_trim();
	assert_int_equal(strcmp(strata_version(), "") > 0, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(blocks_of_every_size_are_usable_and_aligned),
	    cmocka_unit_test(live_blocks_do_not_overlap),
	    cmocka_unit_test(good_size_is_what_a_fresh_block_makes_usable),
	    cmocka_unit_test(good_sizes_are_the_stated_classes),
	    cmocka_unit_test(calloc_is_zero_after_dirty_reuse),
	    cmocka_unit_test(realloc_keeps_the_contents),
	    cmocka_unit_test(realloc_leaves_what_fits_where_it_is),
	    cmocka_unit_test(aligned_alloc_takes_every_power_of_two),
	    cmocka_unit_test(aligned_alloc_refuses_the_rest),
	    cmocka_unit_test(sized_free_takes_requested_to_usable),
	    cmocka_unit_test(batches_give_distinct_blocks),
	    cmocka_unit_test(batches_mix_with_single_calls),
	    cmocka_unit_test(batches_of_nothing_or_too_much),
	    cmocka_unit_test(blocks_of_nothing_are_distinct),
	    cmocka_unit_test(trim_and_maintain_leave_live_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
