/* SPDX-License-Identifier: MIT */
/*
 * Typed free lists of threads that sleep: what they hold goes to others, or back, without their cooperation; they wake, and all is as
 * it was but for that.
 */
#include <pthread.h>
#include <stddef.h>

#include "typed_support.h"

#define OBJECTS 1000u
#define SLEEPERS 20u

struct list {
	uint64_t *items;
	size_t capacity;
};

/* A thread that frees objects onto its list and waits; then it allocates as many, uses them and frees them. */
struct sleeper {
	strata_type *type;
	enum strata_shape shape;
	pthread_t thread;
	pthread_barrier_t *barrier;
	void *mine[OBJECTS];
	bool ok;
};

static void *take(const struct sleeper *sleeper)
{
	return sleeper->shape == STRATA_LIST ? strata_list_alloc(sleeper->type, 8) : strata_type_alloc(sleeper->type);
}

static void give(const struct sleeper *sleeper, void *object)
{
	if (sleeper->shape == STRATA_LIST)
		strata_list_free(sleeper->type, object);
	else
		strata_type_free(sleeper->type, object);
}

static uint64_t *place_in(const struct sleeper *sleeper, size_t i)
{
	void *object = sleeper->mine[i];

	return sleeper->shape == STRATA_LIST ? ((struct list *)object)->items : &((struct counted *)object)->uses;
}

/* Each is the only one that has the object. */
static bool use_all(struct sleeper *sleeper)
{
	bool ok = true;

	for (size_t i = 0; i < OBJECTS; i++) {
		sleeper->mine[i] = take(sleeper);
		*place_in(sleeper, i) = (uintptr_t)&sleeper->mine[i];
	}
	for (size_t i = 0; i < OBJECTS; i++)
		ok &= *place_in(sleeper, i) == (uintptr_t)&sleeper->mine[i];
	for (size_t i = 0; i < OBJECTS; i++)
		give(sleeper, sleeper->mine[i]);
	return ok;
}

static void *sleep_twice(void *argument)
{
	struct sleeper *sleeper = argument;

	sleeper->ok = use_all(sleeper);
	pthread_barrier_wait(sleeper->barrier);
	pthread_barrier_wait(sleeper->barrier);
	sleeper->ok &= use_all(sleeper);
	pthread_barrier_wait(sleeper->barrier);
	pthread_barrier_wait(sleeper->barrier);
	return NULL;
}

static struct sleeper sleepers[SLEEPERS];
static pthread_barrier_t barrier;

static void put_to_sleep(strata_type *type, enum strata_shape shape, unsigned count)
{
	pthread_barrier_init(&barrier, NULL, count + 1);
	for (unsigned i = 0; i < count; i++) {
		sleepers[i] = (struct sleeper){.type = type, .shape = shape, .barrier = &barrier};
		assert_int_equal(pthread_create(&sleepers[i].thread, NULL, sleep_twice, &sleepers[i]), 0);
	}
	pthread_barrier_wait(&barrier);
}

static void wake(void)
{
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
}

static void end(unsigned count)
{
	pthread_barrier_wait(&barrier);
	for (unsigned i = 0; i < count; i++) {
		pthread_join(sleepers[i].thread, NULL);
		assert_true(sleepers[i].ok);
	}
	pthread_barrier_destroy(&barrier);
}

static void trim_takes_from_all_threads(void **state)
{
	strata_type *type = fixed("trimmed", sizeof(struct counted));

	(void)state;
	if (checked_mode())
		skip();
	put_to_sleep(type, STRATA_FIXED, SLEEPERS);
	assert_true(stats_of(type).cached_objects >= SLEEPERS * (OBJECTS / 2));
	strata_trim();
	/* One of each list stays. */
	assert_int_equal(stats_of(type).cached_objects, SLEEPERS);
	assert_int_equal(stats_of(type).live_objects, 0);
	wake();
	assert_int_equal(stats_of(type).live_objects, 0);
	strata_trim();
	assert_int_equal(stats_of(type).cached_objects, SLEEPERS);
	end(SLEEPERS);
	unregister(type);
}

/* The newest, which the others do not touch. */
static void the_newest_object_stays(void **state)
{
	strata_type *type = fixed("newest", sizeof(struct counted));

	(void)state;
	if (checked_mode())
		skip();
	put_to_sleep(type, STRATA_FIXED, 1);
	uintptr_t newest = (uintptr_t)sleepers[0].mine[OBJECTS - 1];
	strata_trim();
	strata_trim();
	wake();
	assert_true((uintptr_t)sleepers[0].mine[0] == newest);
	end(1);
	unregister(type);
}

static void buffers_go_with_their_lists(void **state)
{
	strata_type *type = registered((struct strata_type_info){
	    .name = "sleeping lists",
	    .shape = STRATA_LIST,
	    .size = sizeof(struct list),
	    .item_size = 8,
	    .buffer_offset = offsetof(struct list, items),
	    .capacity_offset = offsetof(struct list, capacity),
	});

	(void)state;
	if (checked_mode())
		skip();
	put_to_sleep(type, STRATA_LIST, 2);
	strata_trim();
	assert_int_equal(stats_of(type).cached_objects, 2);
	assert_int_equal(stats_of(type).cached_bytes, 2 * (sizeof(struct list) + 8 * 8));
	assert_int_equal(stats_of(type).live_bytes, 0);
	wake();
	assert_int_equal(stats_of(type).live_bytes, 0);
	strata_trim();
	assert_int_equal(stats_of(type).cached_bytes, 2 * (sizeof(struct list) + 8 * 8));
	end(2);
	unregister(type);
}

/* Else what threads that sleep might hold would be taken from those that are awake. */
static void bounds_are_not_used_up_by_sleepers(void **state)
{
	strata_type *type = fixed("bounded", sizeof(struct counted));
	size_t weight = SLEEPERS * (OBJECTS / 4) * sizeof(struct counted);

	(void)state;
	if (checked_mode())
		skip();
	assert_int_equal(set_number("typed_cache_all", weight), 0);
	put_to_sleep(type, STRATA_FIXED, SLEEPERS);
	strata_trim();
	get(type, 0, OBJECTS);
	put(type, 0, OBJECTS);
	get(type, 0, OBJECTS);
	put(type, 0, OBJECTS);
	assert_true(stats_of(type).cached_objects >= OBJECTS / 2);
	wake();
	end(SLEEPERS);
	assert_int_equal(set_number("typed_cache_all", 64 * MIB), 0);
	unregister(type);
}

static void *use_and_end(void *sleeper)
{
	use_all(sleeper);
	return NULL;
}

/* A list that was taken from is filled again by the batch: else next to nothing of what waits for all would fit. */
static void who_wakes_takes_batches(void **state)
{
	static struct sleeper other;
	strata_type *type = fixed("batches", sizeof(struct counted));
	pthread_t thread;

	(void)state;
	if (checked_mode())
		skip();
	put_to_sleep(type, STRATA_FIXED, 1);
	strata_trim();
	other = (struct sleeper){.type = type, .shape = STRATA_FIXED};
	assert_int_equal(pthread_create(&thread, NULL, use_and_end, &other), 0);
	pthread_join(thread, NULL);
	uint64_t waiting = stats_of(type).cached_objects, made = stats_of(type).constructed;
	assert_true(waiting >= OBJECTS / 2);
	wake();
	assert_true(stats_of(type).constructed - made <= OBJECTS - waiting + 31);
	end(1);
	unregister(type);
}

static strata_type *watched;

static bool few_are_cached(size_t bound)
{
	strata_maintain();
	return stats_of(watched).cached_objects <= bound;
}

/* The clock is the program's: waits for the state, not for a time. destroy runs in the thread that takes. */
static void the_clock_takes_from_sleepers(void **state)
{
	(void)state;
	if (checked_mode())
		skip();
	watched = fixed("by the clock", sizeof(struct counted));
	put_to_sleep(watched, STRATA_FIXED, SLEEPERS);
	set_decay(20);
	assert_true(comes(few_are_cached, SLEEPERS, "sleepers' lists are emptied"));
	set_decay(STOPPED);
	wake();
	end(SLEEPERS);
	unregister(watched);
}

static void what_was_constructed_is_destroyed_once(void **state)
{
	strata_type *type = with_callbacks(false);

	(void)state;
	if (checked_mode())
		skip();
	put_to_sleep(type, STRATA_FIXED, 1);
	strata_trim();
	assert_int_equal(calls.destroyed, OBJECTS - 1);
	wake();
	assert_int_equal(calls.constructed, 2 * OBJECTS - 1);
	end(1);
	unregister(type);
	assert_int_equal(calls.destroyed, calls.constructed);
}

/* The list is closed when its type goes, and its thread lives on. */
static void a_type_goes_while_its_lists_are_closed(void **state)
{
	strata_type *type = fixed("goes", sizeof(struct counted)), *other;

	(void)state;
	if (checked_mode())
		skip();
	put_to_sleep(type, STRATA_FIXED, 2);
	strata_trim();
	assert_int_equal(strata_type_unregister(type, NULL), 0);
	other = fixed("comes", sizeof(struct counted));
	for (unsigned i = 0; i < 2; i++)
		sleepers[i].type = other;
	wake();
	end(2);
	unregister(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(trim_takes_from_all_threads),
	    cmocka_unit_test(the_newest_object_stays),
	    cmocka_unit_test(buffers_go_with_their_lists),
	    cmocka_unit_test(bounds_are_not_used_up_by_sleepers),
	    cmocka_unit_test(who_wakes_takes_batches),
	    cmocka_unit_test(the_clock_takes_from_sleepers),
	    cmocka_unit_test(what_was_constructed_is_destroyed_once),
	    cmocka_unit_test(a_type_goes_while_its_lists_are_closed),
	};

	return cmocka_run_group_tests_name("typed free lists of threads that sleep", tests, nothing_is_idle, NULL);
}
