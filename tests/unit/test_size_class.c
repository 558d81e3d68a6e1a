/* SPDX-License-Identifier: MIT */
/* Of each class: where its blocks begin, asked at every byte of a pool, and that a request gets the least class it fits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "size_class.h"
#include "support.h"

static void check_offset(const struct size_class *class, size_t offset, unsigned carved)
{
	unsigned index;
	bool begins = block_begins(class, offset, carved, &index);

	if (begins != (offset % class->size == 0 && offset / class->size < carved))
		fatal("%u bytes, offset %zu: %s", class->size, offset, begins ? "taken for a block" : "not found");
	if (begins && index != offset / class->size)
		fatal("%u bytes, offset %zu: taken for block %u", class->size, offset, index);
}

static void blocks_are_found_where_they_begin(void **state)
{
	(void)state;
	for (unsigned i = 1; i < CLASS_COUNT; i++) {
		const struct size_class *class = &size_classes[i];
		size_t bytes = class->pages * PAGE_SIZE;

		for (size_t offset = 0; offset < bytes; offset++) {
			check_offset(class, offset, class->capacity);
			check_offset(class, offset, class->capacity / 2);
		}
		/* Before the first block. */
		for (size_t before = 1; before <= class->start; before++)
			check_offset(class, -before, class->capacity);
	}
}

static void pools_hold_what_they_say(void **state)
{
	(void)state;
	for (unsigned i = 1; i < CLASS_COUNT; i++) {
		const struct size_class *class = &size_classes[i];

		assert_true(class->capacity >= 1);
		assert_int_equal(class->capacity, (class->pages * PAGE_SIZE - class->start) / class->size);
	}
}

static void requests_get_the_least_class(void **state)
{
	(void)state;
	for (size_t size = 1; size <= MEDIUM_MAX; size++) {
		unsigned class = class_of_size(size);

		assert_true(size_classes[class].size >= size);
		assert_true(class == 1 || size_classes[class - 1].size < size);
	}
}

/* Or of 8 bytes, for what is no larger. */
static void malloc_gets_the_least_aligned_one(void **state)
{
	(void)state;
	for (size_t size = 0; size <= LOOKED_UP_MAX; size++) {
		unsigned class = code_aligned16[size] / 2;
		unsigned less = class - 1;

		assert_int_equal(code_aligned16[size] % 2, 0);
		assert_true(size_classes[class].size >= size);
		assert_true(size <= 8 || size_classes[class].size % 16 == 0);
		assert_true(size <= OBJECT_MAX || class == class_of_size(size));
		while (less > 0 && size_classes[less].size >= size)
			assert_true(size > 8 && size_classes[less--].size % 16 != 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_are_found_where_they_begin),
		cmocka_unit_test(pools_hold_what_they_say),
		cmocka_unit_test(requests_get_the_least_class),
		cmocka_unit_test(malloc_gets_the_least_aligned_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
