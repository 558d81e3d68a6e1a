/* SPDX-License-Identifier: MIT */
/*
 * Proves, with the test build of the library on a machine that pretends to have four nodes: threads that run now here, now
 * there, or where nobody knows, claim, return and purge pages and whole arenas; no page has two owners, none is lost, and at the
 * end every arena with free pages is found on the list of all and on that of its node. 8 threads. Runs for
 * STRATA_STRESS_SECONDS (2).
 */
#include "stress.h"

#include "../unit/numa_support.h"
#include "arena.h"
#include "arena_list.h"
#include "arena_node.h"
#include "arena_purge.h"
#include "arena_whole.h"
#include "region.h"

#define THREADS 8
#define HELD 24
#define NODES 4
#define MOST_ARENAS 65536u

/* What one thread has claimed. */
struct holding {
	uint64_t pages; /* 0: whole arenas */
	arena_index arena;
	uint32_t arenas;
};

struct worker {
	struct holding held[HELD];
	uint64_t random;
};

/* A bit for each page that somebody has. */
static _Atomic uint64_t owned[MOST_ARENAS];
static atomic_size_t claims;

static void own(arena_index arena, uint64_t pages)
{
	if (arena >= MOST_ARENAS || (atomic_fetch_or_explicit(&owned[arena], pages, memory_order_relaxed) & pages) != 0)
		fatal("stress_nodes: pages of arena %u have two owners", arena);
}

static void disown(arena_index arena, uint64_t pages)
{
	if ((~atomic_fetch_and_explicit(&owned[arena], ~pages, memory_order_relaxed) & pages) != 0)
		fatal("stress_nodes: pages of arena %u had no owner", arena);
}

static void claim_pages(struct holding *holding, uint64_t *random)
{
	unsigned want = 1 + (unsigned)random_below(random, random_below(random, 4) ? 8 : 64);

	holding->pages = arena_claim_pages(want, 1 + (unsigned)random_below(random, want), NULL, &holding->arena);
	if (holding->pages == 0)
		fatal("stress_nodes: no memory");
	own(holding->arena, holding->pages);
}

static void claim_whole(struct holding *holding, uint64_t *random)
{
	holding->arenas = 1 + (uint32_t)random_below(random, 3);
	holding->arena = arena_claim_whole(holding->arenas, 1);
	if (holding->arena == NO_ARENA)
		fatal("stress_nodes: no memory");
	arena_count_taken(holding->arena, holding->arenas);
	for (uint32_t i = 0; i < holding->arenas; i++) {
		own(holding->arena + i, UINT64_MAX);
		arena_mark_dirty(holding->arena + i, random_below(random, 2) ? UINT64_MAX : 1);
	}
}

/* Pages in two parts, so that arenas change their buckets in more ways. */
static void give_back_pages(struct holding *holding, uint64_t *random)
{
	uint64_t part = random_below(random, 2) ? holding->pages : holding->pages & random_next(random);

	if (part == 0)
		return;
	disown(holding->arena, part);
	arena_return(holding->arena, part);
	holding->pages &= ~part;
}

static void give_back_whole(struct holding *holding)
{
	for (uint32_t i = 0; i < holding->arenas; i++)
		disown(holding->arena + i, UINT64_MAX);
	arena_return_whole(holding->arena, holding->arenas);
	holding->arenas = 0;
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	uint64_t *random = &worker->random;

	while (!stress_over()) {
		struct holding *holding = &worker->held[random_below(random, HELD)];

		if (random_below(random, 16) == 0)
			node_now = (int)random_below(random, NODES + 1);
		if (holding->pages != 0)
			give_back_pages(holding, random);
		else if (holding->arenas != 0)
			give_back_whole(holding);
		else if (random_below(random, 8) == 0)
			claim_whole(holding, random);
		else
			claim_pages(holding, random);
		if (random_below(random, 256) == 0)
			arena_purge(PURGE_STEP, 0);
		atomic_fetch_add_explicit(&claims, 1, memory_order_relaxed);
	}
	return NULL;
}

static bool is_found(arena_index wanted, unsigned node)
{
	for (unsigned bucket = 0; bucket < BUCKET_COUNT; bucket++) {
		struct arena_walk walk = {.bucket = bucket};
		arena_index arena;

		while ((arena = node == ANY_NODE ? arena_walk_next(&walk) : arena_walk_next_on(node, &walk)) != NO_ARENA)
			if (arena == wanted)
				return true;
	}
	return false;
}

/* Of an arena that the threads had a part of, what is not free is somebody's. */
static size_t check_arenas(void)
{
	size_t listed[NODES + 1] = {0}, nodes_with_some = 0;

	for (arena_index arena = 0; arena < region_arenas(); arena++) {
		uint64_t free = atomic_load(&region.arenas[arena].free);
		unsigned node = arena_node(arena);

		if ((free & owned[arena]) != 0)
			fatal("stress_nodes: pages of arena %u are free and somebody's", arena);
		if (free == 0)
			continue;
		if (!is_found(arena, ANY_NODE) || (node != ANY_NODE && !is_found(arena, node)))
			fatal("stress_nodes: arena %u with %d free pages is lost to node %d", arena, __builtin_popcountll(free),
			      (int)node);
		listed[node < NODES ? node : NODES]++;
	}
	for (size_t node = 0; node < NODES; node++)
		nodes_with_some += listed[node] != 0;
	return nodes_with_some;
}

static int on_four_nodes(void)
{
	static struct worker workers[THREADS];
	pthread_t threads[THREADS];
	size_t nodes;

	stress_begin("stress_nodes");
	strata_os_pretend_node(pretended_node);
	strata_free(strata_malloc(1));
	if (numa_nodes() != NODES)
		fatal("stress_nodes: %u nodes", numa_nodes());
	for (size_t i = 0; i < THREADS; i++) {
		workers[i].random = i + 1;
		threads[i] = stress_thread(work, &workers[i]);
	}
	stress_run_for(1);
	for (size_t i = 0; i < THREADS; i++)
		stress_join(threads[i]);
	nodes = check_arenas();
	if (nodes == 0)
		fatal("stress_nodes: no arena was on a list");
	for (size_t i = 0; i < THREADS * HELD; i++) {
		struct holding *holding = &workers[i / HELD].held[i % HELD];

		if (holding->pages != 0)
			arena_return(holding->arena, holding->pages);
		else if (holding->arenas != 0)
			give_back_whole(holding);
	}
	return stress_end("%zu steps, at the end arenas of %zu nodes on the lists", (size_t)claims, nodes);
}

int main(int count, char **arguments)
{
	(void)arguments;
	return count == 1 ? run_on_nodes("0-3\n", "numa:auto,reserve:32G", "four") != 0 : on_four_nodes();
}
