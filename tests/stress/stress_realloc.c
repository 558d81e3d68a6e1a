/* SPDX-License-Identifier: MIT */
/*
 * Proves: blocks grow and shrink across all tiers with their contents kept, while 16 threads do so at once and exchange
 * blocks, so that many a realloc is of a block that another thread allocated. Runs for STRATA_STRESS_SECONDS (2).
 */
#include "stress.h"

#define THREADS 16
#define SHARED 64
#define OWN 32

/* A slot is taken and given by one exchange; the piece it points to belongs to whoever took it. */
static _Atomic(struct piece *) shared[SHARED];
static struct piece storage[SHARED];
static atomic_size_t operations;

/* Small steps, doublings as of growing arrays, halvings, and leaps anywhere. */
static size_t next_size(size_t size, uint64_t *random)
{
	switch (random_next(random) % 4) {
	case 0:
		return size + 1 + random_below(random, 64);
	case 1:
		return size < MIB ? size * 2 : size + 4096;
	case 2:
		return size / 2 + 1;
	default:
		return random_size(random, 3 * MIB);
	}
}

static void step(struct piece *piece, uint64_t *random)
{
	if (piece->block == NULL)
		*piece = piece_new(random_size(random, 64 * KIB), random);
	else if (piece->size > 2 * MIB || random_next(random) % 32 == 0)
		piece_free(piece);
	else
		piece_resize(piece, next_size(piece->size, random), random);
}

static void *body(void *argument)
{
	uint64_t random = (uintptr_t)argument + 1;
	struct piece own[OWN] = {{0}};
	size_t done = 0;

	for (; !stress_over(); done++) {
		struct piece *taken = atomic_exchange(&shared[random_below(&random, SHARED)], NULL);

		step(&own[random_below(&random, OWN)], &random);
		if (taken == NULL)
			continue;
		step(taken, &random);
		/* Back to any empty slot: there are as many slots as pieces. */
		for (struct piece *none = NULL;
		     !atomic_compare_exchange_weak(&shared[random_below(&random, SHARED)], &none, taken); none = NULL)
			continue;
	}
	for (size_t i = 0; i < OWN; i++)
		if (own[i].block != NULL)
			piece_free(&own[i]);
	atomic_fetch_add(&operations, done);
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];

	stress_begin("stress_realloc");
	for (size_t i = 0; i < SHARED; i++)
		atomic_store(&shared[i], &storage[i]);
	for (size_t i = 0; i < THREADS; i++)
		threads[i] = stress_thread(body, (void *)i);
	stress_run_for(1);
	for (size_t i = 0; i < THREADS; i++)
		stress_join(threads[i]);
	for (size_t i = 0; i < SHARED; i++)
		if (storage[i].block != NULL)
			piece_free(&storage[i]);
	return stress_end("%zu operations", (size_t)operations);
}
