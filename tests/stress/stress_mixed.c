/* SPDX-License-Identifier: MIT */
/*
 * Proves: blocks of 8 bytes to 4 MiB, power-law sizes and random lifetimes, are aligned, distinct and keep their
 * contents while 64 threads, more than there are cores, allocate, resize and free at once; and the memory in use
 * stays near what is live. Runs for STRATA_STRESS_SECONDS (2).
 */
#include "stress.h"

#define SLOTS 500
#define LARGEST (4 * MIB)

static atomic_size_t operations;

static void step(struct piece *piece, uint64_t *random)
{
	if (piece->block == NULL)
		*piece = piece_new(random_size(random, LARGEST), random);
	else if (random_next(random) % 8 == 0)
		piece_resize(piece, random_size(random, LARGEST), random);
	else
		piece_free(piece);
}

static void *body(void *argument)
{
	uint64_t random = (uintptr_t)argument + 1;
	struct piece pieces[SLOTS] = {{0}};
	size_t done = 0;

	for (; !stress_over(); done++)
		step(&pieces[random_below(&random, SLOTS)], &random);
	for (size_t i = 0; i < SLOTS; i++)
		if (pieces[i].block != NULL)
			piece_free(&pieces[i]);
	atomic_fetch_add(&operations, done);
	return NULL;
}

int main(void)
{
	enum { MOST = 64 };
	size_t count = stress_scale(MOST);
	pthread_t threads[MOST];
	struct strata_stats stats;

	stress_begin("stress_mixed");
	for (size_t i = 0; i < count; i++)
		threads[i] = stress_thread(body, (void *)i);
	stress_run_for(1);
	/* About 20 MiB live in stacks and blocks; each thread may cache 2 MiB. Unbounded growth passes this soon. */
	check_resident("mixed sizes", 320 * MIB);
	for (size_t i = 0; i < count; i++)
		stress_join(threads[i]);
	strata_stats_read(&stats, sizeof stats);
	if (stats.live_bytes > MIB)
		fatal("stress_mixed: all was freed, %zu bytes are said to live", (size_t)stats.live_bytes);
	return stress_end("%zu operations in %zu threads", (size_t)operations, count);
}
