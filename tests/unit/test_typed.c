/* SPDX-License-Identifier: MIT */
/*
 * Typed free lists: registering, fixed objects, callbacks, counts, bounds, threads that end, fork. The shapes with items
 * are in test_typed_shapes.c. Under check:1 nothing is cached: what follows from caching is left out there.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <strata/typed.h>

#include "support.h"

static void *objects[20000];

static strata_type *fixed(const char *name, size_t size)
{
	struct strata_type_info info = {.name = name, .size = size};
	strata_type *type = strata_type_register(&info, sizeof info);

	assert_non_null(type);
	return type;
}

static struct strata_type_stats stats_of(const strata_type *type)
{
	struct strata_type_stats stats;

	assert_int_equal(strata_type_stats_read(type, &stats, sizeof stats), 0);
	return stats;
}

static void unregister(strata_type *type)
{
	size_t live = 99;

	assert_int_equal(strata_type_unregister(type, &live), 0);
	assert_int_equal(live, 0);
}

static void get(strata_type *type, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		objects[i] = strata_type_alloc(type);
		assert_non_null(objects[i]);
	}
}

static void put(strata_type *type, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		strata_type_free(type, objects[i]);
}

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

struct counted {
	uint64_t mark;
	uint64_t uses;
	char room[48];
};

static struct {
	size_t constructed, reset, destroyed;
	int fail_with;
} calls;

static int construct(void *object, size_t size, void *context)
{
	struct counted *counted = object;

	assert_int_equal(size, sizeof *counted);
	assert_ptr_equal(context, &calls);
	if (calls.fail_with)
		return calls.fail_with;
	calls.constructed++;
	counted->mark = 0x6d61726b;
	counted->uses = 0;
	return 0;
}

static void reset(void *object, size_t size, void *context)
{
	struct counted *counted = object;

	(void)context;
	assert_int_equal(size, sizeof *counted);
	assert_int_equal(counted->mark, 0x6d61726b);
	counted->uses++;
	calls.reset++;
	errno = EDOM;
}

static void destroy(void *object, size_t size, void *context)
{
	struct counted *counted = object;

	(void)context;
	assert_int_equal(size, sizeof *counted);
	assert_int_equal(counted->mark, 0x6d61726b);
	counted->mark = 0;
	calls.destroyed++;
}

static strata_type *with_callbacks(bool with_reset)
{
	struct strata_type_info info = {
	    .name = "counted",
	    .size = sizeof(struct counted),
	    .construct = construct,
	    .reset = with_reset ? reset : NULL,
	    .destroy = destroy,
	    .context = &calls,
	};
	strata_type *type = strata_type_register(&info, sizeof info);

	assert_non_null(type);
	memset(&calls, 0, sizeof calls);
	return type;
}

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

/* A thread that waits, with free objects on its list, while the type is unregistered. */
struct waiter {
	strata_type *type, *other;
	pthread_barrier_t barrier;
	bool ok;
};

static void *wait_with_objects(void *argument)
{
	struct waiter *waiter = argument;
	void *mine[100];

	for (int i = 0; i < 100; i++)
		mine[i] = strata_type_alloc(waiter->type);
	for (int i = 0; i < 100; i++)
		strata_type_free(waiter->type, mine[i]);
	pthread_barrier_wait(&waiter->barrier);
	pthread_barrier_wait(&waiter->barrier);
	mine[0] = strata_type_alloc(waiter->other);
	waiter->ok = mine[0] != NULL;
	strata_type_free(waiter->other, mine[0]);
	return NULL;
}

static void lists_of_other_threads_are_emptied(void **state)
{
	struct waiter waiter = {.type = with_callbacks(false), .other = fixed("other", 64)};
	pthread_t thread;

	(void)state;
	pthread_barrier_init(&waiter.barrier, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, wait_with_objects, &waiter), 0);
	pthread_barrier_wait(&waiter.barrier);
	assert_int_equal(stats_of(waiter.type).cached_objects, checked_mode() ? 0 : 100);
	unregister(waiter.type);
	assert_int_equal(calls.destroyed, 100);
	pthread_barrier_wait(&waiter.barrier);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&waiter.barrier);
	assert_true(waiter.ok);
	unregister(waiter.other);
}

/* ---- Bounds --------------------------------------------------------------------------------------------------------- */

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

		for (int turn = 0; turn < 3; turn++) {
			get(type, 0, 500);
			put(type, 0, 500);
		}
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
	for (int turn = 0; turn < 3; turn++) {
		get(type, 0, 5000);
		put(type, 0, 5000);
	}
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

/* ---- Threads -------------------------------------------------------------------------------------------------------- */

static void *free_all(void *argument)
{
	for (size_t i = 0; i < 10000; i++)
		strata_type_free(argument, objects[i]);
	return NULL;
}

static void *get_all(void *argument)
{
	for (size_t i = 0; i < 10000; i++)
		objects[i] = strata_type_alloc(argument);
	return NULL;
}

static void run_thread(void *(*body)(void *), void *argument)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, body, argument), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void *free_and_wait(void *argument)
{
	struct waiter *waiter = argument;

	for (size_t i = 0; i < 1000; i++)
		strata_type_free(waiter->type, objects[i]);
	pthread_barrier_wait(&waiter->barrier);
	pthread_barrier_wait(&waiter->barrier);
	return NULL;
}

/* At most a batch of 31 stays with it. */
static void a_thread_that_only_frees_keeps_next_to_nothing(void **state)
{
	struct waiter waiter = {.type = fixed("freed elsewhere", 64)};
	pthread_t thread;

	(void)state;
	if (checked_mode())
		skip();
	pthread_barrier_init(&waiter.barrier, NULL, 2);
	get(waiter.type, 0, 1000);
	assert_int_equal(pthread_create(&thread, NULL, free_and_wait, &waiter), 0);
	pthread_barrier_wait(&waiter.barrier);
	assert_int_equal(stats_of(waiter.type).live_objects, 0);
	uint64_t made = stats_of(waiter.type).constructed;
	get(waiter.type, 0, 1000 - 31);
	assert_int_equal(stats_of(waiter.type).constructed, made);
	put(waiter.type, 0, 1000 - 31);
	pthread_barrier_wait(&waiter.barrier);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&waiter.barrier);
	unregister(waiter.type);
}

static void lists_of_the_dead_serve_others(void **state)
{
	strata_type *type = with_callbacks(false);

	(void)state;
	if (checked_mode())
		skip();
	run_thread(get_all, type);
	assert_int_equal(stats_of(type).live_objects, 10000);
	run_thread(free_all, type);
	assert_int_equal(stats_of(type).live_objects, 0);
	uint64_t waiting = stats_of(type).cached_objects;
	uint64_t made = stats_of(type).constructed;
	assert_true(waiting >= 1000 && waiting <= 8000);
	get(type, 0, waiting);
	assert_int_equal(stats_of(type).constructed, made);
	assert_int_equal(stats_of(type).cached_objects, 0);
	put(type, 0, waiting);
	unregister(type);
	assert_int_equal(calls.destroyed, calls.constructed);
}


static pthread_key_t late;
static strata_type *late_type;

/* After our own destructor as well: destructors are called again as long as values are set. */
static void late_destructor(void *value)
{
	uintptr_t rounds = (uintptr_t)value;
	void *object = strata_type_alloc(late_type);

	if (object)
		strata_type_free(late_type, object);
	if (rounds < 4)
		pthread_setspecific(late, (void *)(rounds + 1));
}

static void *set_late(void *argument)
{
	pthread_setspecific(late, (void *)1);
	strata_type_free(argument, strata_type_alloc(argument));
	return NULL;
}

static void destructors_may_allocate_after_ours(void **state)
{
	(void)state;
	late_type = with_callbacks(true);
	assert_int_equal(pthread_key_create(&late, late_destructor), 0);
	run_thread(set_late, late_type);
	assert_int_equal(stats_of(late_type).live_objects, 0);
	pthread_key_delete(late);
	unregister(late_type);
	assert_int_equal(calls.destroyed, calls.constructed);
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

static void set_decay(uint64_t ms)
{
	struct strata_option option;

	assert_int_equal(strata_option_get("decay_ms", &option), 0);
	option.number = ms;
	assert_int_equal(strata_option_set("decay_ms", &option), 0);
}

/* Elsewhere nothing is ever idle, however slow the machine. */
static int nothing_is_idle(void **state)
{
	(void)state;
	set_decay(INT32_MAX);
	return 0;
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
	set_decay(INT32_MAX);
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
	set_decay(INT32_MAX);
	unregister(idle);
	unregister(busy);
}

/* ---- Fork ----------------------------------------------------------------------------------------------------------- */

static int use_in_child(strata_type *type)
{
	struct strata_type_stats stats;

	if (strata_type_stats_read(type, &stats, sizeof stats) || stats.live_objects != 500)
		return 1;
	for (size_t i = 0; i < 500; i++)
		if (!pattern_holds(objects[i], 64, i))
			return 2;
	for (size_t i = 0; i < 500; i++)
		strata_type_free(type, objects[i]);
	return strata_type_unregister(type, NULL) ? 3 : 0;
}

static void a_child_goes_on(void **state)
{
	struct waiter waiter = {.type = fixed("forked", 64), .other = fixed("other", 64)};
	pthread_t thread;
	int status;

	(void)state;
	pthread_barrier_init(&waiter.barrier, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, wait_with_objects, &waiter), 0);
	pthread_barrier_wait(&waiter.barrier);
	get(waiter.type, 0, 500);
	for (size_t i = 0; i < 500; i++)
		pattern_write(objects[i], 64, i);
	pid_t child = fork();
	if (child == 0)
		_exit(use_in_child(waiter.type));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	pthread_barrier_wait(&waiter.barrier);
	pthread_join(thread, NULL);
	put(waiter.type, 0, 500);
	pthread_barrier_destroy(&waiter.barrier);
	unregister(waiter.type);
	unregister(waiter.other);
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
	    cmocka_unit_test(lists_of_other_threads_are_emptied),
	    cmocka_unit_test(what_is_cached_is_bounded),
	    cmocka_unit_test(bounds_can_be_changed),
	    cmocka_unit_test(all_types_together_are_bounded),
	    cmocka_unit_test(a_thread_that_only_frees_keeps_next_to_nothing),
	    cmocka_unit_test(lists_of_the_dead_serve_others),
	    cmocka_unit_test(destructors_may_allocate_after_ours),
	    cmocka_unit_test(trim_gives_back_what_is_cached),
	    cmocka_unit_test(idle_lists_shrink),
	    cmocka_unit_test(idle_lists_shrink_by_slow_calls),
	    cmocka_unit_test(a_child_goes_on),
	    cmocka_unit_test(types_can_be_registered_for_ever_if_unregistered),
	};

	return cmocka_run_group_tests(tests, nothing_is_idle, NULL);
}
