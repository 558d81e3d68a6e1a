/* SPDX-License-Identifier: MIT */
/*
 * Proves: a thread that allocates 256 MiB and then sleeps does not hold on to them: another thread frees all of it and
 * allocates the same amount again, of the same sizes and of others, and resident memory stays what it was. The sleeper
 * makes no call meanwhile. Does not depend on time: a fixed number of rounds, more with STRATA_STRESS_SECONDS.
 */
#include "stress.h"

#define LIVE (256 * MIB)
#define MOST (LIVE / 256)

/* Touched before the first reading, so that it counts in every reading alike. */
static struct piece pieces[MOST];

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool filled, leave;
} owner = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* Blocks of least to largest bytes until the live bytes are reached; returns how many. */
static size_t fill(size_t least, size_t largest, uint64_t seed)
{
	size_t bytes = 0, limit = stress_scale(LIVE), count = 0;

	for (; bytes < limit && count < MOST; count++) {
		size_t size = least + random_below(&seed, largest - least + 1);

		/* By malloc alone: alignments would cost memory that is no fault of the allocator. */
		pieces[count] = (struct piece){x_malloc(size), size, seed};
		if (pieces[count].block == NULL)
			fatal("stress_sleeping_owner: no block of %zu bytes", size);
		pattern_write(pieces[count].block, size, seed);
		bytes += size;
	}
	return count;
}

static void drain(size_t count)
{
	for (size_t i = 0; i < count; i++)
		piece_free(&pieces[i]);
}

static size_t filled;

static void *sleeper(void *unused)
{
	size_t count = fill(64, 1024, 99);

	pthread_mutex_lock(&owner.mutex);
	filled = count;
	owner.filled = true;
	pthread_cond_signal(&owner.changed);
	while (!owner.leave)
		pthread_cond_wait(&owner.changed, &owner.mutex);
	pthread_mutex_unlock(&owner.mutex);
	return unused;
}

static void await_filled(void)
{
	pthread_mutex_lock(&owner.mutex);
	while (!owner.filled)
		pthread_cond_wait(&owner.changed, &owner.mutex);
	pthread_mutex_unlock(&owner.mutex);
}

static void release(pthread_t thread)
{
	pthread_mutex_lock(&owner.mutex);
	owner.leave = true;
	pthread_cond_signal(&owner.changed);
	pthread_mutex_unlock(&owner.mutex);
	stress_join(thread);
}

static void round_of(void)
{
	static const size_t shapes[][2] = {{64, 1024}, {64, 512}, {1000, 9000}, {100 * KIB, 900 * KIB}, {64, 1024}};
	struct strata_stats before, after;
	pthread_t thread;
	size_t limit;

	owner.filled = owner.leave = false;
	strata_stats_read(&before, sizeof before);
	thread = stress_thread(sleeper, NULL);
	await_filled();
	/* Other sizes round up otherwise, and each thread caches a little; what piles up is a whole 256 MiB more. */
	limit = resident_bytes() * 5 / 4 + 32 * MIB;
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		drain(filled);
		filled = fill(shapes[i][0], shapes[i][1], i + 1);
		check_resident("memory of a sleeping owner, freed and allocated by another", limit);
	}
	drain(filled);
	strata_stats_read(&after, sizeof after);
	if (after.live_bytes > before.live_bytes + MIB)
		fatal("stress_sleeping_owner: all was freed, %zu bytes are said to live", (size_t)after.live_bytes);
	release(thread);
}

static void *rounds(void *argument)
{
	size_t done = 0;

	do {
		round_of();
		done++;
	} while (!stress_over());
	*(size_t *)argument = done;
	return NULL;
}

int main(void)
{
	size_t done = 0;
	pthread_t thread;

	stress_begin("stress_sleeping_owner");
	for (size_t i = 0; i < MOST; i++)
		pieces[i].size = 1;
	thread = stress_thread(rounds, &done);
	stress_run_for(0.5);
	stress_join(thread);
	return stress_end("%zu rounds", done);
}
