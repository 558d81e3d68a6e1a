/* SPDX-License-Identifier: MIT */
/*
 * Sizes in decline: where blocks die in the order in which they were made, those that are made meanwhile do not keep the pools of
 * those that die. And the bin is there again when that is over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <strata/strata.h>

#include "bin.h"
#include "bin_limit.h"
#include "heap.h"
#include "pool.h"
#include "support.h"
#include "thread.h"

enum { COUNT = 24000, LEFT = 6000 };

static const size_t sizes[] = { 48, 200, 400, 1000, 1500, 3000, 4000 };

/* A cache that evicts the oldest: from oldest on, made of them at next. */
static unsigned char *blocks[4 * COUNT];
static size_t oldest, next;

static void make_one(size_t size)
{
	blocks[next] = strata_malloc(size);
	assert_non_null(blocks[next]);
	memset(blocks[next], (int)(next % 251), size);
	next++;
}

static void evict_one(size_t size)
{
	for (size_t i = 0; i < size; i += 64)
		assert_int_equal(blocks[oldest][i], oldest % 251);
	strata_free(blocks[oldest++]);
}

/* Three die while two are made. */
static void fall_to(size_t left, size_t size)
{
	while (next - oldest > left) {
		for (unsigned i = 0; i < 3; i++)
			evict_one(size);
		for (unsigned i = 0; i < 2; i++)
			make_one(size);
	}
}

static unsigned class_of(const void *block)
{
	return (atomic_load(&region_tags[page_of(block)]) & TAG_CODE_MASK) / 2;
}

static const struct bin *bin_of(const void *block)
{
	return &thread_self.own->bins[class_of(block)];
}

static bool is_closed(const void *block)
{
	return bin_limit_is_closed(thread_self.own, class_of(block));
}

static void build_up(size_t size)
{
	oldest = next = 0;
	while (next < COUNT)
		make_one(size);
}

static void free_all(size_t size)
{
	while (oldest < next)
		evict_one(size);
}

static void the_young_do_not_keep_the_pools_of_the_old(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		size_t before = totals().pooled_bytes;

		build_up(sizes[i]);
		fall_to(LEFT, sizes[i]);
		if (totals().pooled_bytes > before + LEFT * sizes[i] * 2 / 3)
			fail_msg("%zu KiB are free in pools of %d blocks of %zu bytes", (totals().pooled_bytes - before) / KIB,
				 LEFT, sizes[i]);
		free_all(sizes[i]);
	}
}

/* Falls until its bin is closed; whether that came. */
static void close_one(size_t size)
{
	build_up(size);
	while (!is_closed(blocks[oldest]) && next - oldest > LEFT)
		fall_to(next - oldest - 1, size);
	assert_true(is_closed(blocks[oldest]));
}

/* So often at most: no more calls than that are slow. */
#define SOON 256

static void opens_by(void (*step)(size_t))
{
	const void *any;
	unsigned steps = 0;

	close_one(400);
	any = blocks[oldest];
	while (is_closed(any) && steps++ < SOON)
		step(400);
	assert_false(is_closed(any));
	free_all(400);
}

static void make_pair(size_t size)
{
	strata_free(strata_malloc(size));
}

static void pairs_open_the_bin(void **state)
{
	(void)state;
	opens_by(make_pair);
}

static void takes_open_the_bin(void **state)
{
	(void)state;
	opens_by(make_one);
}

/* With all the room that it had at first. */
static void who_asks_for_a_pool_opens_the_bin(void **state)
{
	struct heap *heap = thread_self.own;
	unsigned class;

	(void)state;
	close_one(400);
	class = class_of(blocks[oldest]);
	if (!heap_try_lock_own(heap))
		fatal("the own heap is busy");
	heap_take_pool(heap, class);
	heap_unlock(heap);
	assert_true(heap->bins[class].limit >= (int32_t)(PAGE_SIZE / 400));
	free_all(400);
}

static void frees_open_the_bin(void **state)
{
	void *any;
	unsigned frees = 0;

	(void)state;
	close_one(400);
	any = blocks[next - 1];
	while (is_closed(any) && frees++ < SOON)
		evict_one(400);
	assert_false(is_closed(any));
	evict_one(400);
	evict_one(400);
	assert_true(bin_of(any)->credit < bin_of(any)->limit);
	free_all(400);
}

/* All die, in order, none is made: that is no decline, and its frees are quick. */
static void an_end_is_no_decline(void **state)
{
	(void)state;
	build_up(400);
	while (oldest < next - 1) {
		evict_one(400);
		assert_false(is_closed(blocks[oldest]));
	}
	free_all(400);
}

/* 1000 blocks of 48 bytes: there is little to gain. */
static void of_little_the_bin_stays(void **state)
{
	enum { LITTLE = 1000 };

	(void)state;
	oldest = next = 0;
	while (next < LITTLE)
		make_one(48);
	while (next - oldest > LITTLE / 4) {
		fall_to(next - oldest - 1, 48);
		assert_false(is_closed(blocks[oldest]));
	}
	free_all(48);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_young_do_not_keep_the_pools_of_the_old),
		cmocka_unit_test(pairs_open_the_bin),
		cmocka_unit_test(takes_open_the_bin),
		cmocka_unit_test(who_asks_for_a_pool_opens_the_bin),
		cmocka_unit_test(frees_open_the_bin),
		cmocka_unit_test(an_end_is_no_decline),
		cmocka_unit_test(of_little_the_bin_stays),
	};

	if (set_number("decay_ms", STOPPED) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
