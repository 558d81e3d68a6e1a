/* SPDX-License-Identifier: MIT */
/*
 * Who keeps house without running the program's callbacks (the background thread, a refused call) empties what is idle of types that
 * have no destroy, leaves the others alone, and does not take the turn of whoever may run them.
 */
#include <pthread.h>
#include <time.h>

#include "typed_layout.h"

#include "typed_support.h"

enum { CACHED = 3000, WAITING = 2 * 31 };

static strata_type *plain, *watched;

static bool plain_is_below(size_t objects)
{
	typed_maintain(CALLBACKS_MAY_NOT);
	return stats_of(plain).cached_objects <= objects;
}

static bool watched_is_below(size_t objects)
{
	typed_maintain(CALLBACKS_MAY_NOT);
	strata_maintain();
	return stats_of(watched).cached_objects <= objects;
}

static void *get_and_put(void *type)
{
	get(type, 0, CACHED);
	put(type, 0, CACHED);
	return NULL;
}

static void *get_and_put_some(void *type)
{
	get(type, 0, WAITING);
	put(type, 0, WAITING);
	return NULL;
}

/* By a thread that ends: what it leaves waits for all. */
static void fill(strata_type *type)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, get_and_put, type), 0);
	pthread_join(thread, NULL);
	assert_int_equal(stats_of(type).cached_objects, CACHED);
}

static void those_with_callbacks_are_left_to_who_may_run_them(void **state)
{
	(void)state;
	plain = fixed("plain", sizeof(struct counted));
	watched = with_callbacks(false);
	fill(plain);
	fill(watched);
	set_decay(20);
	assert_true(comes(plain_is_below, 0, "a depot without idle objects"));
	assert_int_equal(stats_of(watched).cached_objects, CACHED);
	assert_int_equal(calls.destroyed, 0);
	assert_true(comes(watched_is_below, 0, "a depot without idle objects"));
	assert_int_equal(calls.destroyed, CACHED);
	set_decay(STOPPED);
}

static void trimming_leaves_them_too(void **state)
{
	(void)state;
	strata_trim();
	memset(&calls, 0, sizeof calls);
	fill(plain);
	fill(watched);
	assert_true(typed_trim(CALLBACKS_MAY_NOT) > 0);
	assert_int_equal(stats_of(plain).cached_objects, 0);
	assert_int_equal(stats_of(watched).cached_objects, CACHED);
	assert_int_equal(calls.destroyed, 0);
	assert_true(typed_trim(CALLBACKS_MAY_RUN) > 0);
	assert_int_equal(calls.destroyed, CACHED);
	unregister(plain);
	unregister(watched);
}

/* ---- Callbacks that take their time, and use types themselves ------------------------------------------------------- */

enum { CLOCK_MS = 5, SLOW_CALLS = 16 };

static strata_type *helper;
static unsigned depth, deepest;

static void do_nothing(void *object, size_t size, void *context)
{
	(void)object;
	(void)size;
	(void)context;
}

static void destroy_slowly(void *object, size_t size, void *context)
{
	const struct timespec pause = {0, 2 * CLOCK_MS * 1000000};

	(void)object;
	(void)size;
	(void)context;
	if (++depth > deepest)
		deepest = depth;
	nanosleep(&pause, NULL);
	/* Its reset makes each free a slow call: as many as it takes for a look at the clock. */
	for (int i = 0; i < SLOW_CALLS; i++)
		strata_type_free(helper, strata_type_alloc(helper));
	depth--;
}

static bool slow_ones_are_below(size_t objects)
{
	strata_maintain();
	return stats_of(watched).cached_objects <= objects;
}

static void housekeeping_does_not_begin_again_within_a_callback(void **state)
{
	pthread_t thread;

	(void)state;
	helper = registered((struct strata_type_info){.name = "helper", .size = 64, .reset = do_nothing});
	watched = registered((struct strata_type_info){.name = "slow", .size = 64, .destroy = destroy_slowly});
	assert_int_equal(pthread_create(&thread, NULL, get_and_put_some, watched), 0);
	pthread_join(thread, NULL);
	assert_true(stats_of(watched).cached_objects > 0);
	set_decay(CLOCK_MS);
	assert_true(comes(slow_ones_are_below, 0, "a depot without idle objects"));
	assert_int_equal(deepest, 1);
	strata_trim();
	unregister(watched);
	unregister(helper);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(those_with_callbacks_are_left_to_who_may_run_them, nothing_is_idle),
		cmocka_unit_test_setup(trimming_leaves_them_too, nothing_is_idle),
		cmocka_unit_test_setup(housekeeping_does_not_begin_again_within_a_callback, nothing_is_idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
