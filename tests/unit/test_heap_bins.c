/* SPDX-License-Identifier: MIT */
/*
 * A bin that says it has a block more than it has, as one does whose thread was ended in the middle of a call: who empties it brings
 * home all that are there, and reads nothing below the first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <strata/strata.h>

#include "bin.h"
#include "bin_slots.h"
#include "heap.h"
#include "pool.h"
#include "support.h"
#include "thread.h"

enum { COUNT = 40, SIZES = 3 };

static void *blocks[COUNT];

static void fill_bin(size_t size)
{
	for (size_t i = 0; i < COUNT; i++) {
		blocks[i] = strata_malloc(size);
		assert_non_null(blocks[i]);
	}
	for (size_t i = 0; i < COUNT; i++)
		strata_free(blocks[i]);
}

static struct heap *lock_own(void)
{
	if (!heap_try_lock_own(thread_self.own))
		fatal("the own heap is busy");
	return thread_self.own;
}

static unsigned class_of(const void *block)
{
	return (atomic_load(&region_tags[page_of(block)]) & TAG_CODE_MASK) / 2;
}

/* A bin in the midst of others, whose slots would be read. */
static void empty_one_that_lacks_a_block(size_t size)
{
	struct heap *heap;
	struct bin *bin;
	unsigned class;

	fill_bin(size - 16);
	fill_bin(size + 16);
	fill_bin(size);
	heap = lock_own();
	class = class_of(blocks[0]);
	bin = &heap->bins[class];
	assert_true(bin_count(bin) > 0);
	owner_add(bin->credit, -1);
	heap_take_all_home(heap, class);
	assert_ptr_equal(bin->top, slots_bottom(heap, class));
	assert_int_equal(bin_count(bin), 1);
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(pool_look(blocks[i]), HOME_TWICE); /* at home */
	owner_add(bin->credit, 1);
	heap_unlock_flushed(heap);
	fill_bin(size);
}

static void a_bin_that_lacks_a_block_is_emptied(void **state)
{
	static const size_t sizes[SIZES] = {64, 256, 496};

	(void)state;
	if (checked_mode())
		skip();
	set_decay(STOPPED);
	for (size_t i = 0; i < SIZES; i++)
		empty_one_that_lacks_a_block(sizes[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bin_that_lacks_a_block_is_emptied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
