/* SPDX-License-Identifier: MIT */
/*
 * Proves: what a thread has cached can be claimed at any moment of its malloc and free. Threads burst, verifying the
 * contents of every block that they free, and stop for moments of all lengths in between, while others call
 * strata_trim() as fast as they can, which claims from every thread that it does not see at work; some of the blocks are
 * freed by other threads. At the end nothing lives, and the statistics say so.
 */
#include "stress.h"

#include <sched.h>
#include <time.h>

/* As part of the tests of the inside: nothing but claims, one after the other, with all checks of the debug build. */
#ifdef CLAIM_INSIDE
size_t reclaim_all(void); /* src/reclaim.h */
#else
#define reclaim_all strata_trim
#endif

enum { THREADS = 200, CLAIMERS = 2, HELD = 48, SHARED = 512 };

static struct {
	pthread_mutex_t mutex;
	struct piece pieces[SHARED];
} shared = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static _Atomic size_t bursts, trims, given;

/* From nothing at all, over a turn of the scheduler, to a sleep. */
static void rest(uint64_t *random)
{
	uint64_t how = random_below(random, 16);

	if (how < 8) {
		for (volatile uint64_t i = random_below(random, 2000); i > 0; i--)
			;
	} else if (how < 12) {
		sched_yield();
	} else {
		struct timespec time = {0, (long)random_below(random, 3000000)};

		nanosleep(&time, NULL);
	}
}

static size_t size_of(uint64_t *random)
{
	static const size_t sizes[] = {8, 16, 48, 64, 256, 512, 1024, 5000};

	return sizes[random_below(random, sizeof sizes / sizeof *sizes)];
}

/* The piece goes to some other thread, and one of another comes back. */
static struct piece swap(struct piece piece, uint64_t *random)
{
	size_t at = random_below(random, SHARED);

	pthread_mutex_lock(&shared.mutex);
	struct piece other = shared.pieces[at];
	shared.pieces[at] = piece;
	pthread_mutex_unlock(&shared.mutex);
	return other;
}

static void burst(struct piece *held, uint64_t *random)
{
	for (size_t turns = random_below(random, 200); turns > 0; turns--) {
		struct piece *piece = &held[random_below(random, HELD)];

		if (piece->block != NULL && random_below(random, 16) == 0)
			*piece = swap(*piece, random);
		if (piece->block != NULL)
			piece_free(piece);
		else
			*piece = piece_new(size_of(random), random);
	}
}

/* Pairs without anything in between: long enough that the scheduler stops the thread inside malloc or free, which is where
 * it is claimed. Each block holds its own address, mixed with the thread's. */
static void race(uint64_t *random)
{
	enum { BLOCKS = 4, TURNS = 20000 };
	const uintptr_t mine = (uintptr_t)random;
	uintptr_t *blocks[BLOCKS] = {0};
	const size_t size = size_of(random);

	for (unsigned i = 0; i < TURNS; i++) {
		uintptr_t **block = &blocks[i * 7 / 3 % BLOCKS];

		if (*block == NULL) {
			*block = x_malloc(size);
			**block = (uintptr_t)*block ^ mine;
		} else {
			if (**block != ((uintptr_t)*block ^ mine))
				fatal("stress_claim: contents of %p changed", (void *)*block);
			x_free(*block);
			*block = NULL;
		}
	}
	for (unsigned i = 0; i < BLOCKS; i++)
		x_free(blocks[i]);
}

static void *work(void *argument)
{
	uint64_t random = (uintptr_t)argument + 1;
	struct piece held[HELD] = {{0}};

	while (!stress_over()) {
		burst(held, &random);
		race(&random);
		atomic_fetch_add(&bursts, 1);
		rest(&random);
	}
	for (size_t i = 0; i < HELD; i++)
		if (held[i].block != NULL)
			piece_free(&held[i]);
	return NULL;
}

static void *claim(void *unused)
{
	while (!stress_over()) {
		atomic_fetch_add(&given, reclaim_all());
		atomic_fetch_add(&trims, 1);
	}
	return unused;
}

static pthread_barrier_t all;

static void *wait_for_all(void *unused)
{
	pthread_barrier_wait(&all);
	return unused;
}

/* libc keeps a block for each of the stacks that it keeps: as many as there were threads at a time. */
static void have_stacks(size_t count)
{
	pthread_t threads[THREADS + CLAIMERS];

	pthread_barrier_init(&all, NULL, (unsigned)count);
	for (size_t i = 0; i < count; i++)
		threads[i] = stress_thread(wait_for_all, NULL);
	for (size_t i = 0; i < count; i++)
		stress_join(threads[i]);
}

int main(void)
{
	size_t count = stress_scale(THREADS);
	pthread_t threads[THREADS], claimers[CLAIMERS];
	struct strata_stats before, after;

	stress_begin("stress_claim");
	have_stacks(count + CLAIMERS);
	x_free(x_malloc(1));
	strata_stats_read(&before, sizeof before);
	for (size_t i = 0; i < count; i++)
		threads[i] = stress_thread(work, (void *)i);
	for (size_t i = 0; i < CLAIMERS; i++)
		claimers[i] = stress_thread(claim, NULL);
	stress_run_for(1);
	for (size_t i = 0; i < count; i++)
		stress_join(threads[i]);
	for (size_t i = 0; i < CLAIMERS; i++)
		stress_join(claimers[i]);
	for (size_t i = 0; i < SHARED; i++)
		if (shared.pieces[i].block != NULL)
			piece_free(&shared.pieces[i]);
	strata_trim();
	strata_stats_read(&after, sizeof after);
	if (after.live_blocks != before.live_blocks || after.live_bytes != before.live_bytes)
		fatal("stress_claim: all was freed, %zu blocks (%zu bytes) are said to live, %zu before",
		      (size_t)after.live_blocks, (size_t)after.live_bytes, (size_t)before.live_blocks);
	return stress_end("%zu bursts, %zu claims gave %zu KiB", (size_t)bursts, (size_t)trims, (size_t)given / KIB);
}
