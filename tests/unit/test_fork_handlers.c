/* SPDX-License-Identifier: MIT */
/*
 * Fork handlers of other libraries that were registered before strata's, as by a library whose constructor runs earlier, and that
 * allocate: they run within strata's. Forks of several threads overlap; after them what the threads have cached is claimed as ever
 * while they sleep.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <strata/strata.h>

#include "support.h"

enum { THREADS = 6, FORKS = 60, BURST = 1000, BURSTS = 20 };

static __thread bool forking;
static __thread uint64_t sequence;

static void use_memory(void)
{
	void *blocks[64];

	for (int i = 0; forking && i < 8; i++) {
		size_t size = 16 + random_below(&sequence, 1500);

		for (size_t j = 0; j < 64; j++)
			if ((blocks[j] = malloc(size)) == NULL)
				fatal("no memory in a fork handler");
		for (size_t j = 0; j < 64; j++)
			free(blocks[j]);
	}
}

static void register_early(void)
{
	if (pthread_atfork(use_memory, use_memory, use_memory) != 0)
		fatal("no fork handlers");
}

__attribute__((section(".preinit_array"), used)) static void (*const before_all)(void) = register_early;

static void fork_once(void)
{
	int status;
	pid_t child;

	forking = true;
	child = fork();
	if (child < 0)
		fatal("no fork");
	if (child == 0) {
		for (size_t i = 0; i < 300; i++)
			free(malloc(100 + i));
		_exit(0);
	}
	forking = false;
	if (waitpid(child, &status, 0) != child || status != 0)
		fatal("a child ended with status %x", status);
}

static void fill_cache(void)
{
	void *blocks[BURST];

	for (size_t i = 0; i < BURSTS; i++) {
		for (size_t j = 0; j < BURST; j++)
			if ((blocks[j] = malloc(1000)) == NULL)
				fatal("no memory");
		for (size_t j = 0; j < BURST; j++)
			free(blocks[j]);
	}
}

static pthread_barrier_t together;

static void *fork_and_sleep(void *number)
{
	sequence = (uintptr_t)number + 1;
	for (size_t i = 0; i < FORKS; i++)
		fork_once();
	pthread_barrier_wait(&together);
	fill_cache();
	pthread_barrier_wait(&together);
	/* What is had is looked at. */
	pthread_barrier_wait(&together);
	return NULL;
}

static bool cache_falls_to(size_t bytes)
{
	strata_trim();
	return totals().cached_bytes <= bytes;
}

static void caches_are_claimed_after_forks_that_overlap(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	if (checked_mode())
		skip();
	set_decay(STOPPED);
	pthread_barrier_init(&together, NULL, THREADS + 1);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fork_and_sleep, (void *)i), 0);
	pthread_barrier_wait(&together);
	pthread_barrier_wait(&together);
	assert_true(totals().cached_bytes > MIB);
	assert_true(comes(cache_falls_to, 128 * KIB, "the caches of those who sleep"));
	pthread_barrier_wait(&together);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&together);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(caches_are_claimed_after_forks_that_overlap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
