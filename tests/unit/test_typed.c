/* SPDX-License-Identifier: MIT */
/*
 * Typed free lists: types registered and unregistered, fixed objects, callbacks, counts.
 */
#include "typed_support.h"

/* ---- Registering ---------------------------------------------------------------------------------------------------- */

static void refuses(struct strata_type_info info)
{
	errno = 0;
	assert_null(strata_type_register(&info, sizeof info));
	assert_int_equal(errno, EINVAL);
}

static void what_makes_no_sense_is_refused(void **state)
{
	(void)state;
	refuses((struct strata_type_info){.size = 8});
	refuses((struct strata_type_info){.name = "no size"});
	refuses((struct strata_type_info){.name = "alignment", .size = 8, .alignment = 3});
	refuses((struct strata_type_info){.name = "alignment", .size = 8, .alignment = 8192});
	refuses((struct strata_type_info){.name = "shape", .size = 8, .shape = (enum strata_shape)7});
	refuses((struct strata_type_info){.name = "too large", .size = (size_t)1 << 33});
	refuses((struct strata_type_info){.name = "no items", .size = 16, .shape = STRATA_TUPLE});
	refuses((struct strata_type_info){
	    .name = "too long", .size = 16, .shape = STRATA_TUPLE, .item_size = 8, .max_length = 257});
	refuses((struct strata_type_info){
	    .name = "too large", .size = 16, .shape = STRATA_TUPLE, .item_size = (size_t)1 << 30});
	refuses((struct strata_type_info){.name = "one field", .size = 16, .shape = STRATA_LIST, .item_size = 8});
	refuses((struct strata_type_info){
	    .name = "outside", .size = 16, .shape = STRATA_LIST, .item_size = 8, .capacity_offset = 16});
	refuses((struct strata_type_info){
	    .name = "unaligned", .size = 32, .shape = STRATA_DICT, .item_size = 8, .capacity_offset = 12});
	assert_null(strata_type_register(NULL, sizeof(struct strata_type_info)));
}

static void a_shorter_structure_is_taken(void **state)
{
	struct strata_type_info info;

	(void)state;
	memset(&info, 0xff, sizeof info);
	info.name = "short";
	info.shape = STRATA_FIXED;
	info.size = 40;
	strata_type *type = strata_type_register(&info, offsetof(struct strata_type_info, alignment));
	assert_non_null(type);
	get(type, 0, 1);
	put(type, 0, 1);
	unregister(type);
}

static void types_can_be_registered_for_ever_if_unregistered(void **state)
{
	struct strata_type_info info = {.name = "many", .size = 24};
	static strata_type *many[3000];
	size_t count = 0;

	(void)state;
	while ((many[count] = strata_type_register(&info, sizeof info)) != NULL)
		count++;
	assert_int_equal(errno, ENOSPC);
	assert_true(count > 900);
	while (count > 0)
		unregister(many[--count]);
	for (int i = 0; i < 3000; i++) {
		strata_type *type = fixed("again", 24);

		get(type, 0, 1);
		put(type, 0, 1);
		assert_int_equal(stats_of(type).misses, 1);
		unregister(type);
	}
}

/* ---- Objects -------------------------------------------------------------------------------------------------------- */

static void objects_of_every_size_are_distinct_and_aligned(void **state)
{
	static const size_t sizes[] = {1, 8, 12, 16, 24, 40, 64, 100, 500, 512, 600, 4096, 5000, 60000, 65536, 70000, 300000};
	static const size_t alignments[] = {0, 1, 8, 16, 64, 512, 4096};

	(void)state;
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
		for (size_t a = 0; a < sizeof alignments / sizeof *alignments; a++) {
			struct strata_type_info info = {.name = "sizes", .size = sizes[s], .alignment = alignments[a]};
			size_t due = alignments[a] ? alignments[a] : sizes[s] >= 16 ? 16 : 8;
			strata_type *type = strata_type_register(&info, sizeof info);

			assert_non_null(type);
			for (int turn = 0; turn < 3; turn++) {
				get(type, 0, 50);
				for (size_t i = 0; i < 50; i++) {
					assert_true(is_aligned(objects[i], due));
					pattern_write(objects[i], sizes[s], i);
				}
				for (size_t i = 0; i < 50; i++)
					assert_true(pattern_holds(objects[i], sizes[s], i));
				put(type, 0, 50);
			}
			unregister(type);
		}
}

static void the_last_freed_comes_first(void **state)
{
	strata_type *type = fixed("lifo", 48);

	(void)state;
	if (checked_mode())
		skip();
	get(type, 0, 3);
	put(type, 0, 3);
	for (size_t i = 3; i > 0; i--)
		assert_ptr_equal(strata_type_alloc(type), objects[i - 1]);
	put(type, 0, 3);
	unregister(type);
}

static void free_leaves_errno(void **state)
{
	strata_type *type = fixed("errno", 48);

	(void)state;
	get(type, 0, 5000);
	errno = 77;
	put(type, 0, 5000);
	assert_int_equal(errno, 77);
	unregister(type);
	assert_int_equal(errno, 77);
}

static void batches_are_single_calls(void **state)
{
	strata_type *type = fixed("batch", 80);

	(void)state;
	for (size_t count = 0; count < 3000; count = count * 2 + 1) {
		assert_int_equal(strata_type_alloc_batch(type, count, objects), count);
		for (size_t i = 0; i < count; i++)
			pattern_write(objects[i], 80, i);
		assert_int_equal(stats_of(type).live_objects, count);
		for (size_t i = 0; i < count; i++)
			assert_true(pattern_holds(objects[i], 80, i));
		strata_type_free_batch(type, objects, count);
		assert_int_equal(stats_of(type).live_objects, 0);
	}
	unregister(type);
}

/* ---- Callbacks ------------------------------------------------------------------------------------------------------ */

static void construction_is_kept(void **state)
{
	(void)state;
	for (int with_reset = 0; with_reset < 2; with_reset++) {
		strata_type *type = with_callbacks(with_reset);

		for (int turn = 0; turn < 100; turn++) {
			get(type, 0, 10);
			for (size_t i = 0; i < 10; i++)
				assert_int_equal(((struct counted *)objects[i])->mark, 0x6d61726b);
			errno = 5;
			put(type, 0, 10);
			assert_int_equal(errno, 5);
		}
		assert_int_equal(calls.constructed, checked_mode() ? 1000 : 10);
		assert_int_equal(calls.reset, with_reset ? 1000 : 0);
		assert_int_equal(stats_of(type).constructed, calls.constructed);
		unregister(type);
		assert_int_equal(calls.destroyed, calls.constructed);
	}
}

static void a_construct_that_fails_gives_its_error(void **state)
{
	strata_type *type = with_callbacks(false);

	(void)state;
	calls.fail_with = ENETDOWN;
	errno = 0;
	assert_null(strata_type_alloc(type));
	assert_int_equal(errno, ENETDOWN);
	assert_int_equal(strata_type_alloc_batch(type, 3, objects), 0);
	assert_int_equal(stats_of(type).live_objects, 0);
	unregister(type);
	assert_int_equal(calls.destroyed, 0);
}

/* ---- Counts --------------------------------------------------------------------------------------------------------- */

static void counts_are_exact(void **state)
{
	strata_type *type = fixed("counts", 100);
	struct strata_type_stats stats;

	(void)state;
	if (checked_mode())
		skip();
	get(type, 0, 300);
	put(type, 0, 100);
	stats = stats_of(type);
	assert_string_equal(stats.name, "counts");
	assert_int_equal(stats.live_objects, 200);
	assert_int_equal(stats.live_bytes, 200 * 112);
	assert_int_equal(stats.cached_objects, 100);
	assert_int_equal(stats.cached_bytes, 100 * 112);
	assert_int_equal(stats.hits, 0);
	assert_int_equal(stats.misses, 300);
	assert_int_equal(stats.constructed, 300);
	get(type, 0, 100);
	stats = stats_of(type);
	assert_int_equal(stats.hits, 100);
	assert_int_equal(stats.live_objects, 300);
	assert_int_equal(stats.cached_objects, 0);
	put(type, 0, 300);
	assert_int_equal(stats_of(type).live_objects, 0);
	assert_int_equal(strata_type_stats_read(type, NULL, 8), EINVAL);
	assert_int_equal(strata_type_stats_read(type, &stats, 0), EINVAL);
	unregister(type);
}

static void what_is_cached_is_not_live_to_the_library(void **state)
{
	strata_type *type = fixed("truth", 200);
	struct strata_stats before, after;

	(void)state;
	strata_stats_read(&before, sizeof before);
	get(type, 0, 2000);
	strata_stats_read(&after, sizeof after);
	assert_int_equal(after.live_blocks, before.live_blocks + 2000);
	put(type, 0, 2000);
	strata_stats_read(&after, sizeof after);
	assert_int_equal(after.live_blocks, before.live_blocks);
	assert_int_equal(after.live_bytes, before.live_bytes);
	unregister(type);
	strata_stats_read(&after, sizeof after);
	assert_int_equal(after.live_blocks, before.live_blocks);
}

/* ---- Unregistering -------------------------------------------------------------------------------------------------- */

static void live_objects_keep_a_type(void **state)
{
	strata_type *type = with_callbacks(false);
	size_t live = 0;

	(void)state;
	get(type, 0, 7);
	put(type, 0, 3);
	assert_int_equal(strata_type_unregister(type, &live), EBUSY);
	assert_int_equal(live, 4);
	assert_int_equal(strata_type_unregister(type, NULL), EBUSY);
	/* It is as it was. */
	get(type, 0, 3);
	put(type, 0, 7);
	unregister(type);
	assert_int_equal(calls.destroyed, calls.constructed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_makes_no_sense_is_refused),
	    cmocka_unit_test(a_shorter_structure_is_taken),
	    cmocka_unit_test(objects_of_every_size_are_distinct_and_aligned),
	    cmocka_unit_test(the_last_freed_comes_first),
	    cmocka_unit_test(free_leaves_errno),
	    cmocka_unit_test(batches_are_single_calls),
	    cmocka_unit_test(construction_is_kept),
	    cmocka_unit_test(a_construct_that_fails_gives_its_error),
	    cmocka_unit_test(counts_are_exact),
	    cmocka_unit_test(what_is_cached_is_not_live_to_the_library),
	    cmocka_unit_test(live_objects_keep_a_type),
	    cmocka_unit_test(types_can_be_registered_for_ever_if_unregistered),
	};

	return cmocka_run_group_tests(tests, nothing_is_idle, NULL);
}
