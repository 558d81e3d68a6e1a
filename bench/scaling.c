/* SPDX-License-Identifier: MIT */
/*
 * Scaling in one process: scaling [MILLISECONDS [THREADS ...]] runs threads that replace small blocks of mixed sizes in
 * slots, half of them in slots that all threads share, and prints for each number of threads one row: threads,
 * operations (a free and a malloc) in a second, resident KiB at the end of the load.
 *
 * Every block carries a word of its size and its address at both ends, verified at each free.
 */
#include "clock.h"
#include "memory.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define THREADS_MAX 256u
#define SLOTS       1024u

struct worker {
	pthread_t handle;
	unsigned index;
	uint64_t ops;
	bool broken;
	void *slot[SLOTS];
};

static struct worker workers[THREADS_MAX];
static void *shared[SLOTS];
static pthread_barrier_t start;
static bool over; /* set by the main thread, relaxed: a worker may see it late */

static void *block_new(size_t size)
{
	uint64_t *block = malloc(size);

	if (!block) {
		fprintf(stderr, "scaling: no block of %zu bytes\n", size);
		exit(1);
	}
	block[0] = (uint64_t)(uintptr_t)block ^ size;
	block[size / 8 - 1] = block[0];
	return block;
}

static bool block_drop(uint64_t *block)
{
	uint64_t size = block[0] ^ (uint64_t)(uintptr_t)block;
	bool whole = size >= 16 && size <= 512 && block[size / 8 - 1] == block[0];

	free(block);
	return whole;
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state >> 8;
}

static bool replace(struct worker *worker, uint64_t random)
{
	size_t size = 16 + random % 63 * 8;
	size_t slot = (random >> 8) % SLOTS;
	void *block = block_new(size), *old;

	if (random >> 20 & 1) {
		old = __atomic_exchange_n(&shared[slot], block, __ATOMIC_ACQ_REL);
	} else {
		old = worker->slot[slot];
		worker->slot[slot] = block;
	}
	return !old || block_drop(old);
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	uint64_t state = UINT64_C(0x9e3779b97f4a7c15) * (worker->index + 1);

	pthread_barrier_wait(&start);
	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		for (unsigned i = 0; i < 256; i++)
			worker->broken |= !replace(worker, next_random(&state));
		worker->ops += 256;
	}
	pthread_barrier_wait(&start); /* the resident size is read here */
	for (unsigned i = 0; i < SLOTS; i++) {
		worker->broken |= worker->slot[i] && !block_drop(worker->slot[i]);
		worker->slot[i] = NULL;
	}
	return NULL;
}

static void run(unsigned threads, unsigned long milliseconds)
{
	struct timespec pause = {(time_t)(milliseconds / 1000), (long)(milliseconds % 1000) * 1000000};
	uint64_t ops = 0, begin, resident;
	double seconds;

	over = false;
	pthread_barrier_init(&start, NULL, threads + 1);
	for (unsigned i = 0; i < threads; i++) {
		workers[i].index = i;
		workers[i].ops = 0;
		if (pthread_create(&workers[i].handle, NULL, work, &workers[i])) {
			fprintf(stderr, "scaling: thread not started\n");
			exit(1);
		}
	}
	pthread_barrier_wait(&start);
	begin = clock_ns();
	nanosleep(&pause, NULL); /* the length of the measurement */
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	pthread_barrier_wait(&start);
	seconds = (double)(clock_ns() - begin) * 1e-9;
	resident = memory_resident();
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(workers[i].handle, NULL);
		ops += workers[i].ops;
		if (workers[i].broken) {
			fprintf(stderr, "scaling: a block was overwritten\n");
			exit(1);
		}
	}
	pthread_barrier_destroy(&start);
	printf("%u %.0f %" PRIu64 "\n", threads, (double)ops / seconds, resident >> 10);
	fflush(stdout);
}

int main(int count, char **arguments)
{
	static const unsigned standard[] = {1, 2, 4, 16};
	unsigned long milliseconds = count > 1 ? strtoul(arguments[1], NULL, 10) : 500;

	if (!milliseconds) {
		fprintf(stderr, "usage: scaling [MILLISECONDS [THREADS ...]]\n");
		return 2;
	}
	for (int i = 2; i < count; i++) {
		unsigned long threads = strtoul(arguments[i], NULL, 10);

		if (threads < 1 || threads > THREADS_MAX) {
			fprintf(stderr, "scaling: threads: 1 to %u\n", THREADS_MAX);
			return 2;
		}
		run((unsigned)threads, milliseconds);
	}
	for (unsigned i = 0; count < 3 && i < sizeof standard / sizeof standard[0]; i++)
		run(standard[i], milliseconds);
	return 0;
}
