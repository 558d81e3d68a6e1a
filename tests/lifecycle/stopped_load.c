/* SPDX-License-Identifier: MIT */
/* Threads that allocate and free in every way: see stopped.h. A thread that is stopped here holds no lock of libc. */
#include "lifecycle.h"
#include "stopped.h"

#include <pthread.h>
#include <sys/syscall.h>

enum { SLOTS = 256, BURST = 300 };

static struct shared *shared;
static char *_Atomic slots[SLOTS];

/* Every thread frees what others allocated. */
static void exchange(unsigned *seed, unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++)
		block_free(atomic_exchange(&slots[next_random(seed) % SLOTS], block_new(random_size(seed))));
}

/* More of one size than a cache keeps: pools are claimed and go back. */
static void burst(unsigned *seed)
{
	static const unsigned sizes[] = {16, 64, 200, 480, 1000, 4000, 20000};
	const unsigned size = sizes[next_random(seed) % 7];
	char *blocks[BURST];

	for (unsigned i = 0; i < BURST; i++)
		blocks[i] = block_new(size);
	for (unsigned i = 0; i < BURST; i++)
		block_free(blocks[i]);
}

static void *work(void *argument)
{
	const size_t number = (size_t)argument;
	unsigned seed = (unsigned)number + 1;

	shared->worker[number] = (pid_t)syscall(SYS_gettid);
	while (!shared->stop) {
		exchange(&seed, 40);
		if (shared->worked[number] % 4 == 0)
			burst(&seed);
		shared->worked[number]++;
	}
	return NULL;
}

/* A whole life: the first call, a few frees of others' blocks, a full cache, the end. */
static void live(unsigned seed)
{
	exchange(&seed, 20);
	churn(seed, 20);
}

static void *short_life(void *seed)
{
	live((unsigned)(size_t)seed);
	return NULL;
}

static void *watched_life(void *seed)
{
	shared->mortal = (pid_t)syscall(SYS_gettid);
	while (!shared->mortal_go && !shared->stop)
		;
	shared->mortal = 0;
	shared->mortal_go = 0;
	live((unsigned)(size_t)seed);
	return NULL;
}

static void *spawn(void *argument)
{
	const size_t number = (size_t)argument;

	while (!shared->stop) {
		const int watched = number == 0 && shared->mortals_wait;
		pthread_t thread;

		check(pthread_create(&thread, NULL, watched ? watched_life : short_life, (void *)(shared->spawned[number] + 7)) == 0);
		check(pthread_join(thread, NULL) == 0);
		shared->spawned[number]++;
	}
	return NULL;
}

int stopped_load(struct shared *with)
{
	pthread_t threads[WORKERS + SPAWNERS];

	shared = with;
	for (size_t i = 0; i < WORKERS; i++)
		check(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
	for (size_t i = 0; i < SPAWNERS; i++)
		check(pthread_create(&threads[WORKERS + i], NULL, spawn, (void *)i) == 0);
	for (size_t i = 0; i < WORKERS + SPAWNERS; i++)
		check(pthread_join(threads[i], NULL) == 0);
	for (size_t i = 0; i < SLOTS; i++)
		block_free(slots[i]);
	return 0;
}
