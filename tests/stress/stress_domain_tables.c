/* SPDX-License-Identifier: MIT */
/*
 * Proves: while 200 threads allocate, resize and free by domain, the tables of the domains are exchanged without pause by
 * two others, from the built-in one to a wrapper and back, and from wrapper to wrapper; when a setter has returned, nobody is
 * in the former table, nor ever comes to it again: its context is overwritten and freed. Threads come and go meanwhile.
 * Contents of all blocks are verified, and at the end every domain counts as many blocks, and bytes, as at the start.
 * Runs for STRATA_STRESS_SECONDS (2).
 */
#include "stress.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include <strata/domain.h>

#define THREADS 200
#define SETTERS 2
#define PIECES 16
#define ALIVE UINT64_C(0xa11fe)

/* A table's context. */
struct wrapper {
	uint64_t alive;
	struct strata_domain_table former;
	atomic_uint inside;
	atomic_ulong calls;
};

static struct wrapper *enter(void *ctx)
{
	struct wrapper *wrapper = ctx;

	atomic_fetch_add(&wrapper->inside, 1);
	if (wrapper->alive != ALIVE)
		fatal("stress_domain_tables: a call in a table that was taken back");
	atomic_fetch_add_explicit(&wrapper->calls, 1, memory_order_relaxed);
	return wrapper;
}

static void leave(struct wrapper *wrapper)
{
	if (wrapper->alive != ALIVE)
		fatal("stress_domain_tables: the table was taken back during a call");
	atomic_fetch_sub(&wrapper->inside, 1);
}

static atomic_bool came; /* a call, to a wrapper */

static void *wrapped_malloc(void *ctx, size_t size)
{
	struct wrapper *wrapper = enter(ctx);
	void *block = wrapper->former.malloc(wrapper->former.ctx, size);

	atomic_store_explicit(&came, true, memory_order_relaxed);
	leave(wrapper);
	return block;
}

static void *wrapped_calloc(void *ctx, size_t count, size_t size)
{
	struct wrapper *wrapper = enter(ctx);
	void *block = wrapper->former.calloc(wrapper->former.ctx, count, size);

	leave(wrapper);
	return block;
}

static void *wrapped_realloc(void *ctx, void *block, size_t size)
{
	struct wrapper *wrapper = enter(ctx);

	block = wrapper->former.realloc(wrapper->former.ctx, block, size);
	leave(wrapper);
	return block;
}

static void wrapped_free(void *ctx, void *block)
{
	struct wrapper *wrapper = enter(ctx);

	wrapper->former.free(wrapper->former.ctx, block);
	leave(wrapper);
}

/* ---- Those who allocate --------------------------------------------------------------------------------------------- */

struct own {
	struct piece piece;
	enum strata_domain domain;
};

static void allocate(struct own *own, uint64_t *random)
{
	struct piece *piece = &own->piece;

	own->domain = (enum strata_domain)random_below(random, 4);
	piece->size = random_size(random, random_below(random, 50) == 0 ? 200 * KIB : 2 * KIB);
	piece->seed = random_next(random);
	piece->block = random_below(random, 4) == 0 ? strata_domain_calloc(own->domain, 1, piece->size)
	                                            : strata_domain_malloc(own->domain, piece->size);
	if (piece->block == NULL)
		fatal("stress_domain_tables: no memory");
	pattern_write(piece->block, piece->size, piece->seed);
}

static void resize(struct own *own, uint64_t *random)
{
	struct piece *piece = &own->piece;
	size_t size = random_size(random, 4 * KIB);

	piece->block = strata_domain_realloc(own->domain, piece->block, size);
	if (piece->block == NULL ||
	    !pattern_holds(piece->block, size < piece->size ? size : piece->size, piece->seed))
		fatal("stress_domain_tables: contents lost in realloc");
	piece->size = size;
	pattern_write(piece->block, size, piece->seed);
}

static void release(struct own *own)
{
	piece_verify(&own->piece);
	errno = 41;
	strata_domain_free(own->domain, own->piece.block);
	if (errno != 41)
		fatal("stress_domain_tables: free changed errno");
	own->piece.block = NULL;
}

static void *allocates(void *argument)
{
	uint64_t random = (uint64_t)(uintptr_t)argument * 77 + 1;
	struct own owns[PIECES] = {{{0}, STRATA_DOMAIN_RAW}};

	for (size_t turn = 0; turn < 3000 && !stress_over(); turn++) {
		struct own *own = &owns[random_below(&random, PIECES)];

		if (own->piece.block == NULL)
			allocate(own, &random);
		else if (random_below(&random, 4) == 0)
			resize(own, &random);
		else
			release(own);
		/* A pace, not a synchronisation: so many threads that never rest would leave the setters no processor. */
		if (turn % 100 == 0)
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	for (size_t i = 0; i < PIECES; i++)
		if (owns[i].piece.block != NULL)
			release(&owns[i]);
	return NULL;
}

/* A place for a thread: as one ends, the next begins. */
static void *keeps_a_place(void *argument)
{
	for (size_t i = 0; !stress_over(); i += THREADS)
		stress_join(stress_thread(allocates, (char *)argument + i));
	return NULL;
}

/* ---- Those who exchange --------------------------------------------------------------------------------------------- */

static atomic_ulong exchanges, calls;

static struct wrapper *wrapper_new(const struct strata_domain_table *former)
{
	struct wrapper *wrapper = x_malloc(sizeof *wrapper);

	memset(wrapper, 0, sizeof *wrapper);
	wrapper->alive = ALIVE;
	wrapper->former = *former;
	return wrapper;
}

/* The setter has returned. */
static void wrapper_end(struct wrapper *wrapper)
{
	if (wrapper == NULL)
		return;
	if (atomic_load(&wrapper->inside) != 0)
		fatal("stress_domain_tables: somebody is left in the former table");
	atomic_fetch_add(&calls, atomic_load(&wrapper->calls));
	memset((void *)wrapper, 0x5a, sizeof *wrapper);
	x_free(wrapper);
}

/* Each has two domains to itself. */
static void *exchanges_tables(void *argument)
{
	size_t self = (size_t)argument;
	struct strata_domain_table builtin[2];
	struct wrapper *current[2] = {NULL, NULL};
	uint64_t random = self + 5;

	for (size_t i = 0; i < 2; i++)
		strata_domain_get_table((enum strata_domain)(self * 2 + i), &builtin[i]);
	while (!stress_over()) {
		size_t i = random_below(&random, 2);
		struct wrapper *next = random_below(&random, 3) == 0 ? NULL : wrapper_new(&builtin[i]);
		struct strata_domain_table table = {next,         wrapped_malloc, wrapped_calloc, wrapped_realloc,
		                                    wrapped_free, NULL};

		if (strata_domain_set_table((enum strata_domain)(self * 2 + i), next != NULL ? &table : NULL) != 0)
			fatal("stress_domain_tables: a setter failed");
		wrapper_end(current[i]);
		current[i] = next;
		atomic_fetch_add(&exchanges, 1);
	}
	for (size_t i = 0; i < 2; i++) {
		strata_domain_set_table((enum strata_domain)(self * 2 + i), &builtin[i]);
		wrapper_end(current[i]);
	}
	return NULL;
}

int main(void)
{
	struct strata_domain_stats before[4], after;
	size_t count = stress_scale(THREADS);
	pthread_t threads[THREADS], setters[SETTERS];

	stress_begin("stress_domain_tables");
	for (int i = 0; i < 4; i++)
		strata_domain_stats_read((enum strata_domain)i, &before[i], sizeof before[i]);
	for (size_t i = 0; i < count; i++)
		threads[i] = stress_thread(keeps_a_place, (void *)i);
	for (size_t i = 0; i < SETTERS; i++)
		setters[i] = stress_thread(exchanges_tables, (void *)i);
	while (!atomic_load(&came))
		sched_yield();
	stress_run_for(1);
	for (size_t i = 0; i < SETTERS; i++)
		stress_join(setters[i]);
	for (size_t i = 0; i < count; i++)
		stress_join(threads[i]);
	for (int i = 0; i < 4; i++) {
		strata_domain_stats_read((enum strata_domain)i, &after, sizeof after);
		if (after.live_bytes != before[i].live_bytes || after.live_blocks != before[i].live_blocks)
			fatal("stress_domain_tables: %s: %lu bytes in %lu blocks are left",
			      strata_domain_name((enum strata_domain)i), (unsigned long)after.live_bytes,
			      (unsigned long)after.live_blocks);
	}
	if (atomic_load(&calls) == 0)
		fatal("stress_domain_tables: no call came to a wrapper");
	return stress_end("%lu exchanges, %lu calls in tables that were taken back", atomic_load(&exchanges),
	                  atomic_load(&calls));
}
