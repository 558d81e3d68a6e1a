/* SPDX-License-Identifier: MIT */
/*
 * What one call of strata_maintain() costs its caller, in thread CPU time, while it takes back what THREADS sleeping threads
 * have cached and gives it to the system: a histogram of the calls, the longest, and the largest part. The slow path of any
 * thread makes the same step, at most every 8 ms. Linked with strata or with it preloaded:
 *
 *   maintain [THREADS]
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <strata/strata.h>

#include "clock.h"

enum { BUILT = 256 * 1024, BUCKETS = 24, QUIET_CALLS = 200, PAUSE_US = 8000 };

static pthread_barrier_t parked;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t woken = PTHREAD_COND_INITIALIZER;
static bool leave;

static void build_and_free(unsigned seed)
{
	void *all = NULL;

	for (size_t bytes = 0; bytes < BUILT; bytes += 16 + seed % 500) {
		seed = seed * 1103515245u + 12345u;
		void **block = malloc(16 + seed % 500);

		if (block == NULL)
			abort();
		memset(block, 1, 16);
		*block = all;
		all = block;
	}
	while (all != NULL) {
		void *next = *(void **)all;

		free(all);
		all = next;
	}
}

static void *sleeper(void *number)
{
	build_and_free((unsigned)(uintptr_t)number);
	pthread_barrier_wait(&parked);
	pthread_mutex_lock(&mutex);
	while (!leave)
		pthread_cond_wait(&woken, &mutex);
	pthread_mutex_unlock(&mutex);
	return NULL;
}

static uint64_t histogram[BUCKETS], longest, calls;
static size_t largest, total;

/* Whether there was something to do. */
static bool call(void)
{
	uint64_t start = clock_thread_ns();
	size_t bytes = strata_maintain();
	uint64_t ns = clock_thread_ns() - start;
	unsigned bucket = 0;

	while (bucket < BUCKETS - 1 && ns >> (bucket + 8) != 0)
		bucket++;
	histogram[bucket]++;
	calls++;
	total += bytes;
	longest = ns > longest ? ns : longest;
	largest = bytes > largest ? bytes : largest;
	return bytes != 0;
}

static void print(int threads)
{
	printf("%d threads asleep; %llu calls, %zu KiB taken and given back in all\n", threads, (unsigned long long)calls,
	       total / 1024);
	for (unsigned i = 0; i < BUCKETS; i++)
		if (histogram[i] != 0)
			printf("  < %7.1f us  %6llu\n", (double)(256u << i) / 1000, (unsigned long long)histogram[i]);
	printf("longest %.1f us, largest part %zu KiB\n", (double)longest / 1000, largest / 1024);
}

int main(int argc, char **argv)
{
	int threads = argc > 1 ? atoi(argv[1]) : 500;
	pthread_t *ids = malloc((size_t)threads * sizeof *ids);
	pthread_attr_t attributes;

	if (threads <= 0 || ids == NULL)
		return 2;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, (size_t)256 << 10);
	pthread_barrier_init(&parked, NULL, (unsigned)threads + 1);
	for (int i = 0; i < threads; i++)
		if (pthread_create(&ids[i], &attributes, sleeper, (void *)(uintptr_t)(i + 1)) != 0)
			return 2;
	pthread_barrier_wait(&parked);
	for (int quiet = 0; quiet < QUIET_CALLS;) {
		usleep(PAUSE_US);
		quiet = call() ? 0 : quiet + 1;
	}
	print(threads);
	pthread_mutex_lock(&mutex);
	leave = true;
	pthread_cond_broadcast(&woken);
	pthread_mutex_unlock(&mutex);
	for (int i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	free(ids);
	return 0;
}
