/* SPDX-License-Identifier: MIT */
/*
 * Proves: a user's table that lends parts of strata's own blocks gets all of them back, from the moment that it is in force, while two
 * threads allocate and free by its domain and many others are to be told of it. They get them by a call that always asks for the table,
 * and give them back by one that does so only if their route says so: a fast path would take such a part for a block of its own.
 * Runs for STRATA_STRESS_SECONDS (2).
 */
#include "stress.h"

#include <sched.h>
#include <string.h>
#include <time.h>

#include <strata/domain.h>

#define TOLD 300 /* threads that do nothing, whose routes come first */
#define WORKERS 2
#define SIZE 64
#define HEADER 16

static atomic_ulong lent, returned;

/* Blocks of this size begin at a multiple of it, parts do not. */
static bool is_part(void *block)
{
	return (uintptr_t)block % SIZE == HEADER;
}

static void *part_malloc(void *ctx, size_t size)
{
	char *block = strata_aligned_alloc(SIZE, 2 * SIZE);

	(void)ctx;
	if (size > SIZE || block == NULL)
		fatal("stress_domain_parts: no memory");
	atomic_fetch_add(&lent, 1);
	return block + HEADER;
}

static void *part_calloc(void *ctx, size_t count, size_t size)
{
	return memset(part_malloc(ctx, count * size), 0, count * size);
}

static void part_free(void *ctx, void *block)
{
	(void)ctx;
	if (block != NULL && is_part(block)) {
		atomic_fetch_add(&returned, 1);
		block = (char *)block - HEADER;
	}
	strata_free(block);
}

static void *part_realloc(void *ctx, void *block, size_t size)
{
	if (block != NULL)
		fatal("stress_domain_parts: nobody resizes");
	return part_malloc(ctx, size);
}

static atomic_bool rest;
static atomic_uint resting;
static atomic_ulong parts;

static void *works(void *unused)
{
	while (!stress_over()) {
		void *block = strata_domain_realloc(STRATA_DOMAIN_OBJ, NULL, SIZE);

		if (block == NULL)
			fatal("stress_domain_parts: no memory");
		memset(block, 1, SIZE);
		if (is_part(block))
			atomic_fetch_add_explicit(&parts, 1, memory_order_relaxed);
		strata_domain_free(STRATA_DOMAIN_OBJ, block);
		if (!atomic_load(&rest))
			continue;
		atomic_fetch_add(&resting, 1);
		while (atomic_load(&rest))
			sched_yield();
		atomic_fetch_sub(&resting, 1);
	}
	return unused;
}

static atomic_bool over;
static atomic_uint known;

static void *is_told(void *unused)
{
	strata_domain_free(STRATA_DOMAIN_OBJ, strata_domain_malloc(STRATA_DOMAIN_OBJ, SIZE));
	atomic_fetch_add(&known, 1);
	while (!atomic_load(&over))
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	return unused;
}

static void set(const struct strata_domain_table *table)
{
	if (strata_domain_set_table(STRATA_DOMAIN_OBJ, table) != 0)
		fatal("stress_domain_parts: a setter failed");
}

static void wait_until_resting(unsigned count)
{
	while (atomic_load(&resting) != count && !stress_over())
		sched_yield();
}

static void *exchanges(void *count)
{
	const struct strata_domain_table table = {NULL, part_malloc, part_calloc, part_realloc, part_free, NULL};

	for (; !stress_over(); ++*(unsigned long *)count) {
		unsigned long before = atomic_load(&parts);

		set(&table);
		while (atomic_load(&parts) < before + 100 && !stress_over())
			sched_yield();
		atomic_store(&rest, true);
		wait_until_resting(WORKERS);
		if (stress_over())
			break;
		if (atomic_load(&lent) != atomic_load(&returned))
			fatal("stress_domain_parts: %lu parts were lent, %lu came back", atomic_load(&lent), atomic_load(&returned));
		set(NULL);
		atomic_store(&rest, false);
		wait_until_resting(0);
	}
	atomic_store(&rest, false);
	return NULL;
}

int main(void)
{
	pthread_t workers[WORKERS], told[TOLD], setter;
	unsigned long count = 0;
	size_t many = stress_scale(TOLD);

	stress_begin("stress_domain_parts");
	for (size_t i = 0; i < WORKERS; i++)
		workers[i] = stress_thread(works, NULL);
	for (size_t i = 0; i < many; i++)
		told[i] = stress_thread(is_told, NULL);
	while (atomic_load(&known) != many)
		sched_yield();
	setter = stress_thread(exchanges, &count);
	while (atomic_load(&parts) == 0)
		sched_yield();
	stress_run_for(1);
	stress_join(setter);
	for (size_t i = 0; i < WORKERS; i++)
		stress_join(workers[i]);
	if (atomic_load(&lent) == 0 || atomic_load(&lent) != atomic_load(&returned))
		fatal("stress_domain_parts: at the end %lu parts were lent, %lu came back", atomic_load(&lent), atomic_load(&returned));
	set(NULL);
	atomic_store(&over, true);
	for (size_t i = 0; i < many; i++)
		stress_join(told[i]);
	return stress_end("%lu exchanges, %lu parts lent and returned", count, atomic_load(&lent));
}
