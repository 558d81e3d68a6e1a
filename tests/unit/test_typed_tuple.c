/* SPDX-License-Identifier: MIT */
/*
 * Typed free lists of tuples: a list for each length.
 */
#include "typed_support.h"

struct tuple {
	uint64_t mark, length;
	void *items[];
};

static struct tuple *tuples[300];

static strata_type *tuple_type(size_t max_length)
{
	return registered((struct strata_type_info){
	    .name = "tuple",
	    .shape = STRATA_TUPLE,
	    .size = sizeof(struct tuple),
	    .item_size = sizeof(void *),
	    .max_length = max_length,
	});
}

static size_t tuple_bytes(size_t length)
{
	return sizeof(struct tuple) + length * sizeof(void *);
}

static void tuples_of_every_length_hold_their_items(void **state)
{
	static const size_t longest[] = {0, 1, 3, 20, 100, 256};

	(void)state;
	for (size_t m = 0; m < sizeof longest / sizeof *longest; m++) {
		strata_type *type = tuple_type(longest[m]);

		for (int turn = 0; turn < 3; turn++) {
			for (size_t length = 0; length < 300; length++) {
				tuples[length] = strata_tuple_alloc(type, length);
				assert_non_null(tuples[length]);
				assert_true(is_aligned(tuples[length], 16));
				pattern_write(tuples[length], tuple_bytes(length), length);
			}
			assert_int_equal(stats_of(type).live_objects, 300);
			assert_true(stats_of(type).live_bytes >= 300 * tuple_bytes(150) - 300 * 8);
			for (size_t length = 0; length < 300; length++) {
				assert_true(pattern_holds(tuples[length], tuple_bytes(length), length));
				strata_tuple_free(type, tuples[length], length);
			}
		}
		unregister(type);
	}
}

static void each_length_has_its_list(void **state)
{
	strata_type *type = tuple_type(0);

	(void)state;
	if (checked_mode())
		skip();
	for (size_t length = 0; length <= 30; length++)
		tuples[length] = strata_tuple_alloc(type, length);
	for (size_t length = 0; length <= 30; length++)
		strata_tuple_free(type, tuples[length], length);
	assert_int_equal(stats_of(type).cached_objects, 21);
	for (size_t length = 0; length <= 20; length++)
		assert_ptr_equal(strata_tuple_alloc(type, length), tuples[length]);
	assert_int_equal(stats_of(type).hits, 21);
	assert_int_equal(stats_of(type).live_objects, 21);
	for (size_t length = 0; length <= 20; length++)
		strata_tuple_free(type, tuples[length], length);
	unregister(type);
}

static void long_ones_are_counted_as_they_are(void **state)
{
	strata_type *type = tuple_type(4);

	(void)state;
	for (size_t length = 10; length < 100000; length = length * 5 / 3) {
		void *tuple = strata_tuple_alloc(type, length);
		struct strata_type_stats stats;

		assert_non_null(tuple);
		assert_int_equal(strata_type_stats_read(type, &stats, sizeof stats), 0);
		if (!checked_mode())
			assert_int_equal(stats.live_bytes, strata_usable_size(tuple));
		strata_tuple_free(type, tuple, length);
		assert_int_equal(strata_type_stats_read(type, &stats, sizeof stats), 0);
		assert_int_equal(stats.live_bytes, 0);
	}
	unregister(type);
}

static void a_tuple_that_is_too_long_is_refused(void **state)
{
	strata_type *type = tuple_type(0);

	(void)state;
	errno = 0;
	assert_null(strata_tuple_alloc(type, opaque(SIZE_MAX)));
	assert_int_equal(errno, ENOMEM);
	assert_null(strata_tuple_alloc(type, opaque(SIZE_MAX / 8)));
	assert_null(strata_tuple_alloc(type, opaque(PTRDIFF_MAX / 8)));
	/* Its items would be 8 bytes, but for a bit that is lost. */
	errno = 0;
	assert_null(strata_tuple_alloc(type, opaque(SIZE_MAX / 8 + 2)));
	assert_int_equal(errno, ENOMEM);
	unregister(type);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tuples_of_every_length_hold_their_items),
	    cmocka_unit_test(each_length_has_its_list),
	    cmocka_unit_test(long_ones_are_counted_as_they_are),
	    cmocka_unit_test(a_tuple_that_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, nothing_is_idle, NULL);
}
