/* SPDX-License-Identifier: MIT */
/*
 * Allocates where a library may not have been set up yet or may have been taken down: before every constructor, in
 * constructors, in destructors of thread-specific data in every round, in handlers of exit, in a thread that is
 * created while the process exits, and in one that runs when it ends.
 */
#include "lifecycle.h"

#include <limits.h>
#include <pthread.h>

enum { KEYS = 3, THREADS = 200 };

static char *early;          /* allocated before any constructor, freed by a handler of exit */
static pthread_key_t keys[KEYS + 1]; /* the last one is older than main */

static void destroy_again(void *value)
{
	char *block = value;
	unsigned key;

	memcpy(&key, block + 32, sizeof key);
	churn(key, 30);
	/* A new value asks for another round; after the last round it stays as it is. */
	if (--block[40] > 0) {
		char *fresh = block_new(100);

		memcpy(fresh + 32, block + 32, 9);
		check(pthread_setspecific(keys[key], fresh) == 0);
	}
	block_free(block);
}

static void set_key(unsigned key)
{
	char *block = block_new(100);

	memcpy(block + 32, &key, sizeof key);
	block[40] = PTHREAD_DESTRUCTOR_ITERATIONS;
	check(pthread_setspecific(keys[key], block) == 0);
}

static void before_constructors(void)
{
	early = block_new(5000);
	churn(1, 20);
	check(pthread_key_create(&keys[KEYS], destroy_again) == 0);
}

__attribute__((section(".preinit_array"), used)) static void (*preinit[])(void) = {before_constructors};

static void *ordinary_thread(void *unused)
{
	for (unsigned key = 0; key <= KEYS; key++)
		set_key(key);
	churn(3, 100);
	return unused;
}

/* Sets its keys and touches memory for the first time in a destructor. */
static void *late_thread(void *block)
{
	check(pthread_setspecific(keys[0], block) == 0);
	return NULL;
}

static void *endless_thread(void *started)
{
	churn(4, 10);
	__atomic_store_n((int *)started, 1, __ATOMIC_RELEASE);
	for (;;)
		churn(5, 100);
	return NULL;
}

static void run_threads(void *(*function)(void *), unsigned count, int late)
{
	pthread_t threads[8];

	for (unsigned i = 0; i < count; i++) {
		char *block = NULL;

		if (late) {
			block = block_new(100);
			memset(block + 32, 0, sizeof(unsigned));
			block[40] = PTHREAD_DESTRUCTOR_ITERATIONS;
		}
		if (i >= 8)
			check(pthread_join(threads[i % 8], NULL) == 0);
		check(pthread_create(&threads[i % 8], NULL, function, block) == 0);
	}
	for (unsigned i = count; i < count + 8; i++)
		check(pthread_join(threads[i % 8], NULL) == 0);
}

static void at_exit(void)
{
	static int started;
	pthread_t thread;

	churn(6, 100);
	block_free(early);
	run_threads(ordinary_thread, 8, 0);
	/* Runs on while the process ends. */
	check(pthread_create(&thread, NULL, endless_thread, &started) == 0);
	while (!__atomic_load_n(&started, __ATOMIC_ACQUIRE))
		sched_yield();
}

__attribute__((constructor(101))) static void first_constructor(void)
{
	churn(7, 100);
	check(atexit(at_exit) == 0);
}

__attribute__((destructor(101))) static void last_destructor(void)
{
	churn(8, 100);
}

int main(void)
{
	for (unsigned key = 0; key < KEYS; key++)
		check(pthread_key_create(&keys[key], destroy_again) == 0);
	check(atexit(last_destructor) == 0);
	churn(9, 1000);
	run_threads(ordinary_thread, THREADS, 0);
	run_threads(late_thread, THREADS, 1);
	for (unsigned key = 0; key <= KEYS; key++)
		set_key(key);
	return 0;
}
