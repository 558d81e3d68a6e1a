/* SPDX-License-Identifier: MIT */
/*
 * What typed free lists cache: its bounds, and how it goes back.
 */
#include <unistd.h>

#include "typed_support.h"

/* ---- Bounds --------------------------------------------------------------------------------------------------------- */

static void use(strata_type *type, size_t count)
{
	for (int turn = 0; turn < 3; turn++) {
		get(type, 0, count);
		put(type, 0, count);
	}
}

/* A thread's list and what waits for all have the same bound. */
static void what_is_cached_is_bounded(void **state)
{
	static const struct {
		size_t size, objects, bytes;
	} bounds[] = {{64, 100, 0}, {64, 0, 6400}, {64, 1, 0}, {4096, 0, 100 * 4096}, {64, 0, 1}, {100000, 0, 300000}};

	(void)state;
	for (size_t b = 0; b < sizeof bounds / sizeof *bounds; b++) {
		struct strata_type_info info = {.name = "bounded",
		                                .size = bounds[b].size,
		                                .cache_objects = bounds[b].objects,
		                                .cache_bytes = bounds[b].bytes};
		strata_type *type = strata_type_register(&info, sizeof info);

		use(type, 500);
		assert_true(stats_of(type).cached_objects <= 200);
		if (bounds[b].bytes)
			assert_true(stats_of(type).cached_bytes <= 2 * bounds[b].bytes + bounds[b].size);
		unregister(type);
	}
}

static void bounds_can_be_changed(void **state)
{
	strata_type *type = fixed("changed", 64);

	(void)state;
	if (checked_mode())
		skip();
	use(type, 5000);
	assert_int_equal(stats_of(type).cached_objects, 5000);
	assert_int_equal(strata_type_set_bounds(type, 50, 0), 0);
	strata_type_trim(type);
	get(type, 0, 5000);
	put(type, 0, 5000);
	assert_true(stats_of(type).cached_objects <= 100);
	assert_int_equal(strata_type_set_bounds(type, 5000, 0), 0);
	unregister(type);
}

/* All types together: typed_cache (4 MiB) and typed_objects bound one thread's lists. */
static void all_types_together_are_bounded(void **state)
{
	enum { TYPES = 40 };
	strata_type *types[TYPES];
	uint64_t cached = 0;

	(void)state;
	for (int t = 0; t < TYPES; t++) {
		types[t] = fixed("one of many", 512);
		for (int turn = 0; turn < 2; turn++) {
			get(types[t], 0, 2000);
			put(types[t], 0, 2000);
		}
	}
	for (int t = 0; t < TYPES; t++)
		cached += stats_of(types[t]).cached_bytes;
	/* The thread's, and for each type what waits for any thread. */
	assert_true(cached <= 4 * MIB + TYPES * 512 * KIB);
	for (int t = 0; t < TYPES; t++)
		unregister(types[t]);
}

/* ---- Memory that goes back ------------------------------------------------------------------------------------------ */

static void trim_gives_back_what_is_cached(void **state)
{
	strata_type *type = with_callbacks(false);

	(void)state;
	if (checked_mode())
		skip();
	get(type, 0, 3000);
	put(type, 0, 3000);
	assert_int_equal(strata_type_trim(type), 3000 * sizeof(struct counted));
	assert_int_equal(calls.destroyed, 3000);
	assert_int_equal(stats_of(type).cached_objects, 0);
	assert_int_equal(strata_type_trim(type), 0);
	get(type, 0, 3000);
	put(type, 0, 3000);
	strata_trim();
	assert_int_equal(stats_of(type).cached_objects, 0);
	unregister(type);
}

/* The clock is the program's: waits for the state, not for a time. */
static void idle_lists_shrink(void **state)
{
	strata_type *type = fixed("idle", 64);

	(void)state;
	set_decay(20);
	get(type, 0, 1000);
	put(type, 0, 1000);
	while (stats_of(type).cached_objects > 0) {
		usleep(10000);
		strata_maintain();
	}
	set_decay(STOPPED);
	unregister(type);
}

/* As much as one call may do, and a batch; and it says that there is more. */
static void housekeeping_does_a_part_at_a_time(void **state)
{
	struct strata_type_info info = {.name = "large", .size = 65536, .cache_bytes = 64 * MIB};
	strata_type *type = registered(info);
	uint64_t before, parts = 0;

	(void)state;
	if (checked_mode())
		skip();
	use(type, 800);
	assert_true(stats_of(type).cached_bytes > 20 * MIB);
	set_decay(20);
	while ((before = stats_of(type).cached_bytes) > 0) {
		size_t done = strata_maintain();
		uint64_t gone = before - stats_of(type).cached_bytes;

		assert_true(done >= gone);
		/* The own list, and a part of what waits for all. */
		assert_true(gone <= 8 * MIB);
		parts += gone > 0;
	}
	assert_true(parts > 4);
	set_decay(STOPPED);
	unregister(type);
}

static void idle_lists_shrink_by_slow_calls(void **state)
{
	strata_type *idle = fixed("idle", 64), *busy = fixed("busy", 128);

	(void)state;
	set_decay(20);
	get(idle, 0, 1000);
	put(idle, 0, 1000);
	while (stats_of(idle).cached_objects > 0) {
		usleep(1000);
		get(busy, 0, 16);
		put(busy, 0, 16);
		strata_type_trim(busy);
	}
	set_decay(STOPPED);
	unregister(idle);
	unregister(busy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_cached_is_bounded),
	    cmocka_unit_test(bounds_can_be_changed),
	    cmocka_unit_test(all_types_together_are_bounded),
	    cmocka_unit_test(trim_gives_back_what_is_cached),
	    cmocka_unit_test(idle_lists_shrink),
	    cmocka_unit_test(idle_lists_shrink_by_slow_calls),
	    cmocka_unit_test(housekeeping_does_a_part_at_a_time),
	};

	return cmocka_run_group_tests(tests, nothing_is_idle, NULL);
}
