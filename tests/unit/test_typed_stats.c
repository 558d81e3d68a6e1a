/* SPDX-License-Identifier: MIT */
/*
 * Statistics of types while types are unregistered, and others registered in their place: no sum has the counters of one with the sizes
 * of another. A signal stops the reader wherever it is; meanwhile a type of small objects, of which some are live, makes room for one of
 * objects of nearly 4 GiB, of which there are none. Then the reader goes on.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#include <strata/domain.h>

#include "typed_support.h"

/* Each thread has a cache, and a reader goes through those of all: most of its time it is between the first counter and the size. */
enum { THREADS = 64, OBJECTS = 500, SMALL = 64, ROUNDS = 50 };

#define BIG ((size_t)0xfffffff0)
#define MOST (64 * MIB)

static atomic_uint stopped, resumed, reads;
static atomic_bool leave;
static _Atomic uint64_t most;
static pthread_barrier_t cached, done;

static void wait_until_resumed(int signal)
{
	unsigned turn = ++stopped;

	(void)signal;
	while (resumed < turn)
		sched_yield();
}

static void *read_on(void *unused)
{
	struct strata_domain_stats stats;

	while (!leave) {
		if (strata_domain_stats_read(STRATA_DOMAIN_TYPED, &stats, sizeof stats) != 0)
			fatal("no statistics");
		if (stats.live_bytes > most)
			most = stats.live_bytes;
		reads++;
	}
	return unused;
}

static void *have_a_cache(void *type)
{
	strata_type_free(type, strata_type_alloc(type));
	pthread_barrier_wait(&cached);
	pthread_barrier_wait(&done);
	return NULL;
}

/* A place serves again once half of all records have been used: these have 258 each, of 1024. */
static void use_half_of_the_records(void)
{
	strata_type *tuples[2];

	for (size_t i = 0; i < 2; i++)
		tuples[i] = registered((struct strata_type_info){
		    .name = "tuple", .shape = STRATA_TUPLE, .size = 24, .item_size = 8, .max_length = 256});
	for (size_t i = 0; i < 2; i++)
		unregister(tuples[i]);
}

/* The calling thread's is the first. */
static void begin_caches(pthread_t *threads)
{
	strata_type *type = fixed("for each thread", SMALL);

	pthread_barrier_init(&cached, NULL, THREADS + 1);
	pthread_barrier_init(&done, NULL, THREADS + 1);
	get(type, 0, 1);
	put(type, 0, 1);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, have_a_cache, type), 0);
	pthread_barrier_wait(&cached);
	unregister(type);
}

static void end_caches(pthread_t *threads)
{
	pthread_barrier_wait(&done);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&cached);
	pthread_barrier_destroy(&done);
}

/* Until what it was at, and a whole turn besides, is done. */
static void let_read(void)
{
	unsigned before = reads;

	while (reads - before < 2)
		sched_yield();
}

static void stop(pthread_t reader)
{
	unsigned before = stopped;

	assert_int_equal(pthread_kill(reader, SIGUSR1), 0);
	while (stopped == before)
		sched_yield();
}

static void exchange_types(pthread_t reader)
{
	strata_type *small = fixed("small", SMALL);
	strata_type *big;

	get(small, 0, OBJECTS);
	let_read();
	stop(reader);
	put(small, 0, OBJECTS);
	unregister(small);
	big = fixed("big", BIG);
	assert_ptr_equal(big, small);
	resumed++;
	let_read();
	unregister(big);
}

static void no_sum_is_of_two_types(void **state)
{
	const struct sigaction action = {.sa_handler = wait_until_resumed};
	pthread_t threads[THREADS], reader;

	(void)state;
	use_half_of_the_records();
	begin_caches(threads);
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	assert_int_equal(pthread_create(&reader, NULL, read_on, NULL), 0);
	for (size_t i = 0; i < ROUNDS; i++)
		exchange_types(reader);
	leave = true;
	pthread_join(reader, NULL);
	end_caches(threads);
	assert_true(most <= MOST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(no_sum_is_of_two_types, nothing_is_idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
