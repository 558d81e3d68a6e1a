/* SPDX-License-Identifier: MIT */
/*
 * Typed free lists and threads: types unregistered under them, objects freed by others, lists of threads that ended, fork.
 */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "typed_support.h"

/* A thread that waits, with free objects on its list, while the type is unregistered or the process forks. */
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

static void *get_and_free_all(void *argument)
{
	get_all(argument);
	return free_all(argument);
}

/* This time they are on its own list when it ends. */
static void what_a_thread_had_for_itself_serves_others(void **state)
{
	strata_type *type = with_callbacks(false);

	(void)state;
	if (checked_mode())
		skip();
	run_thread(get_and_free_all, type);
	uint64_t waiting = stats_of(type).cached_objects;
	assert_true(waiting >= 4000 && waiting <= 8000);
	assert_int_equal(calls.destroyed, calls.constructed - waiting);
	uint64_t made = stats_of(type).constructed;
	get(type, 0, waiting);
	assert_int_equal(stats_of(type).constructed, made);
	put(type, 0, waiting);
	unregister(type);
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

/* ---- Fork by a thread that ends, in destroy ------------------------------------------------------------------------- */

static struct {
	strata_type *type;
	pthread_barrier_t barrier;
	pid_t child;
	bool ends, forked;
	void *cached;
} ending;

static void fork_once(void *object, size_t size, void *context)
{
	(void)object, (void)size, (void)context;
	if (!ending.ends || ending.forked)
		return;
	ending.forked = true;
	ending.child = fork();
}

static void *cache_one(void *argument)
{
	ending.cached = strata_type_alloc(ending.type);
	strata_type_free(ending.type, ending.cached);
	pthread_barrier_wait(&ending.barrier);
	pthread_barrier_wait(&ending.barrier);
	return argument;
}

/* What one thread has freed is on its own list, so that another gets something else. */
static int threads_share_no_list(void)
{
	pthread_t thread;

	if (pthread_barrier_init(&ending.barrier, NULL, 2) || pthread_create(&thread, NULL, cache_one, NULL))
		return 1;
	pthread_barrier_wait(&ending.barrier);
	run_thread(get_all, ending.type);
	for (size_t i = 0; i < 10000; i++)
		if (!objects[i] || objects[i] == ending.cached)
			return 2;
	pthread_barrier_wait(&ending.barrier);
	return pthread_join(thread, NULL) ? 3 : 0;
}

/* The last round comes after the library's end of the thread. */
static void look_in_child(void *value)
{
	uintptr_t rounds = (uintptr_t)value;

	if (rounds < 3)
		pthread_setspecific(late, (void *)(rounds + 1));
	else if (ending.forked && ending.child == 0)
		_exit(threads_share_no_list());
}

/* The depot takes as many as the list: the other 31 are destroyed. */
static void *free_and_end(void *argument)
{
	pthread_setspecific(late, (void *)1);
	for (size_t i = 0; i < 62; i++)
		strata_type_free(argument, objects[i]);
	ending.ends = true;
	return NULL;
}

static void a_thread_that_ends_may_fork(void **state)
{
	int status;

	(void)state;
	if (checked_mode())
		skip();
	ending.type = registered((struct strata_type_info){
	    .name = "forks", .size = 64, .cache_objects = 31, .destroy = fork_once});
	assert_int_equal(pthread_key_create(&late, look_in_child), 0);
	get(ending.type, 0, 62);
	run_thread(free_and_end, ending.type);
	pthread_key_delete(late);
	assert_true(ending.forked && ending.child > 0);
	assert_int_equal(waitpid(ending.child, &status, 0), ending.child);
	assert_int_equal(status, 0);
	unregister(ending.type);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lists_of_other_threads_are_emptied),
	    cmocka_unit_test(a_thread_that_only_frees_keeps_next_to_nothing),
	    cmocka_unit_test(lists_of_the_dead_serve_others),
	    cmocka_unit_test(what_a_thread_had_for_itself_serves_others),
	    cmocka_unit_test(destructors_may_allocate_after_ours),
	    cmocka_unit_test(a_child_goes_on),
	    cmocka_unit_test(a_thread_that_ends_may_fork),
	};

	return cmocka_run_group_tests(tests, nothing_is_idle, NULL);
}
