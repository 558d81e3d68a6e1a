/* SPDX-License-Identifier: MIT */
/*
 * Proves: THREADS threads that each built and freed BUILT bytes of small blocks and then sleep cost at most MOST bytes each
 * beyond the same threads that never called malloc, once another thread has ticked for a while: resident memory, stacks and
 * the records of heaps included. How many ticks it took
 * is printed and is no condition: the test waits for the memory, and fails when that does not come at all. Once more with
 * one strata_trim() instead of ticks, and with a thread that does nothing but allocate and free one block now and then, which
 * never leaves the fast path by itself.
 */
#include "stress.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 500, BUILT = 256 * 1024, MOST = 8 * 1024, TICK_US = 10000, PAIR_US = 1000, PATIENCE_US = 30 * 1000 * 1000 };

static pthread_barrier_t parked;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t woken = PTHREAD_COND_INITIALIZER;
static bool leave, builds;

static void build_and_free(uint64_t random)
{
	void *all = NULL;

	for (size_t bytes = 0; bytes < BUILT;) {
		size_t size = 16 + random_below(&random, 500);
		void **block = x_malloc(size);

		if (block == NULL)
			fatal("stress_asleep: no block of %zu bytes", size);
		memset(block, 1, size);
		*block = all;
		all = block;
		bytes += size;
	}
	while (all != NULL) {
		void *next = *(void **)all;

		x_free(all);
		all = next;
	}
}

static void *sleeper(void *argument)
{
	if (builds)
		build_and_free((uintptr_t)argument + 1);
	pthread_barrier_wait(&parked);
	pthread_mutex_lock(&mutex);
	while (!leave)
		pthread_cond_wait(&woken, &mutex);
	pthread_mutex_unlock(&mutex);
	return NULL;
}

/* The threads live on while next runs, and have ended when it returns. */
static size_t with_sleepers(bool build, size_t (*next)(size_t), size_t argument)
{
	static pthread_t threads[THREADS];
	size_t result;

	builds = build;
	leave = false;
	pthread_barrier_init(&parked, NULL, THREADS + 1);
	for (size_t i = 0; i < THREADS; i++)
		threads[i] = stress_thread(sleeper, (void *)i);
	pthread_barrier_wait(&parked);
	result = next(argument);
	pthread_mutex_lock(&mutex);
	leave = true;
	pthread_cond_broadcast(&woken);
	pthread_mutex_unlock(&mutex);
	for (size_t i = 0; i < THREADS; i++)
		stress_join(threads[i]);
	return result;
}

static size_t resident_now(size_t unused)
{
	(void)unused;
	return resident_bytes();
}

static size_t wait_until(size_t limit, void (*act)(void), useconds_t pause)
{
	useconds_t waited = 0;

	printf("asleep: %zu KiB", resident_bytes() / KIB);
	for (; resident_bytes() > limit && waited < PATIENCE_US; waited += pause) {
		usleep(pause);
		act();
	}
	printf("; %u times\n", waited / pause);
	return resident_bytes();
}

static void maintain(void)
{
	strata_maintain();
}

static size_t tick(size_t limit)
{
	return wait_until(limit, maintain, TICK_US);
}

/* Its bin has the block that it wants, each time. */
static void serve(void)
{
	x_free(x_malloc(100));
}

static size_t serve_a_little(size_t limit)
{
	return wait_until(limit, serve, PAIR_US);
}

static size_t trim_once(size_t limit)
{
	(void)limit;
	printf("asleep: %zu KiB", resident_bytes() / KIB);
	size_t given = strata_trim();
	printf("; a trim says it gave %zu KiB\n", given / KIB);
	return resident_bytes();
}

/* Each reading is of a process of its own, so that nothing is left over from the other. */
static size_t reading(bool build, size_t (*next)(size_t), size_t argument)
{
	int ends[2];
	size_t result = 0;
	pid_t child;

	if (pipe(ends) != 0 || (child = fork()) < 0)
		fatal("stress_asleep: no process");
	if (child == 0) {
		result = with_sleepers(build, next, argument);
		_exit(write(ends[1], &result, sizeof result) != sizeof result);
	}
	close(ends[1]);
	if (read(ends[0], &result, sizeof result) != sizeof result)
		fatal("stress_asleep: the process with the threads failed");
	close(ends[0]);
	waitpid(child, NULL, 0);
	return result;
}

int main(void)
{
	stress_begin("stress_asleep");
	size_t baseline = reading(false, resident_now, 0);
	size_t limit = baseline + (size_t)THREADS * MOST;
	static const char *const how[3] = {"ticked", "trimmed", "served a little"};
	size_t reached[3];

	reached[0] = reading(true, tick, limit);
	reached[1] = reading(true, trim_once, limit);
	reached[2] = reading(true, serve_a_little, limit);
	for (int i = 0; i < 3; i++)
		if (reached[i] > limit)
			fatal("stress_asleep: %s: resident %zu KiB, limit %zu KiB", how[i], reached[i] / KIB,
			      limit / KIB);
	return stress_end("%d threads asleep: %zu KiB, ticked to %zu, trimmed to %zu, served a little to %zu", (int)THREADS,
			  baseline / KIB, reached[0] / KIB, reached[1] / KIB, reached[2] / KIB);
}
