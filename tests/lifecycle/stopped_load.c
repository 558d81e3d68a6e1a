/* SPDX-License-Identifier: MIT */
/* Threads that allocate and free in every way: see stopped.h. A thread that is stopped here holds no lock of libc. */
#include "lifecycle.h"
#include "stopped.h"

#include <malloc.h>
#include <pthread.h>
#include <sched.h>

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
		/* In the first part worker 0 is the one that is stepped. */
		if (number > 0 || shared->mortals_wait)
			pause_here(shared);
		exchange(&seed, 40);
		if (shared->worked[number] % 4 == 0)
			burst(&seed);
		/* Claims what the stopped thread has cached, wherever it stands: that does not change in the meantime. Or that is the
		 * one that stands in a claim. */
		if (number == 1 || (number == 0 && shared->worked[0] % 4 == 2))
			malloc_trim(0);
		shared->worked[number]++;
	}
	return NULL;
}

/* A whole life: the first call, a few frees of others' blocks, a full cache, the end. */
static void live(unsigned seed)
{
	exchange(&seed, 12);
	churn(seed, 12);
}

static void *short_life(void *seed)
{
	live((unsigned)(size_t)seed);
	return NULL;
}

static void wait_for_go(int go)
{
	while (shared->mortal_go < go && !shared->stop)
		sched_yield();
}

static void *watched_life(void *seed)
{
	shared->mortal = (pid_t)syscall(SYS_gettid);
	wait_for_go(1);
	live((unsigned)(size_t)seed);
	shared->mortal_ending = 1;
	wait_for_go(2);
	shared->mortal_ending = 0;
	shared->mortal_go = 0;
	shared->mortal = 0;
	return NULL;
}

static void *spawn(void *argument)
{
	const size_t number = (size_t)argument;
	size_t seed = number * 100000 + 7;

	while (!shared->stop) {
		const int watched = number == 0 && shared->mortals_wait;
		pthread_t thread;

		if (!watched)
			pause_here(shared);
		check(pthread_create(&thread, NULL, watched ? watched_life : short_life, (void *)seed++) == 0);
		check(pthread_join(thread, NULL) == 0);
		shared->spawned[number]++;
	}
	return NULL;
}

int stopped_load(struct shared *with)
{
	pthread_t threads[WORKERS + SPAWNERS];
	size_t live;

	shared = with;
	block_free(block_new(1));
	live = mallinfo2().uordblks;
	for (size_t i = 0; i < WORKERS; i++)
		check(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
	for (size_t i = 0; i < SPAWNERS; i++)
		check(pthread_create(&threads[WORKERS + i], NULL, spawn, (void *)i) == 0);
	for (size_t i = 0; i < WORKERS + SPAWNERS; i++)
		check(pthread_join(threads[i], NULL) == 0);
	for (size_t i = 0; i < SLOTS; i++)
		block_free(slots[i]);
	/* Nothing was lost, and nothing given twice; libc keeps a little for the stacks that it keeps. */
	check(mallinfo2().uordblks >= live && mallinfo2().uordblks <= live + 16 * 1024);
	return 0;
}
