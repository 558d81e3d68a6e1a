/* SPDX-License-Identifier: MIT */
#include "stack_depot.h"

#include "os.h"
#include "reserve_once.h"

#include <string.h>

/*
 * One reservation: struct depot with the table of chains, then the stacks, one after the other. A stack's number is its
 * place, in words from the start. Stacks are only added: published by a compare-and-swap (release) on the head of their
 * chain, and found by loads (acquire) from there.
 */
#define CHAINS 16384u
#define DEPOT_BYTES ((size_t)64 << 20)
#define DEPOT_WORDS (DEPOT_BYTES / sizeof(uint64_t))
#define DEPOT_STEP ((size_t)256 << 10)

struct stack {
	uint32_t hash;
	uint16_t count;
	stack_number next;
	void *frames[];
};

struct depot {
	/* Bytes beyond the first step. Raised by whoever committed more, read by whoever takes room. Release: those are committed;
	 * partners: the acquires in commit_to. */
	_Atomic size_t committed;
	/* Words taken behind this: moved on by whoever takes room, once that is committed. Relaxed: it only
	 * gives each a place. */
	_Atomic size_t used;
	_Atomic stack_number chains[CHAINS];
};

#define FIRST_WORD (sizeof(struct depot) / sizeof(uint64_t))
_Static_assert(sizeof(struct depot) % sizeof(uint64_t) == 0 && sizeof(struct depot) <= DEPOT_STEP, "stacks follow");

/* A child, forked whenever, has either none or one that goes on. */
static reserved_once the_depot;

static struct stack *stack_at(struct depot *depot, stack_number number)
{
	return (struct stack *)((char *)depot + (size_t)number * sizeof(uint64_t));
}

static uint32_t hash_of(void *const *frames, unsigned count)
{
	uint64_t hash = count;
	for (unsigned i = 0; i < count; i++)
		hash = (hash ^ (uintptr_t)frames[i]) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(hash >> 32);
}

/* What another thread commits as well is committed all the same; only the larger end is kept. */
static bool commit_to(struct depot *depot, size_t end)
{
	size_t have = atomic_load_explicit(&depot->committed, memory_order_acquire);
	if (end <= DEPOT_STEP + have)
		return true;
	size_t want = size_min(round_up(end, DEPOT_STEP), DEPOT_BYTES) - DEPOT_STEP;
	if (end > DEPOT_BYTES || os_commit((char *)depot + DEPOT_STEP + have, want - have) != 0)
		return false;
	while (have < want && !atomic_compare_exchange_weak_explicit(&depot->committed, &have, want, memory_order_acq_rel,
								      memory_order_acquire))
		;
	return true;
}

static stack_number take_room(struct depot *depot, unsigned count)
{
	size_t words = sizeof(struct stack) / sizeof(uint64_t) + count;
	size_t used = atomic_load_explicit(&depot->used, memory_order_relaxed);
	size_t at;
	/* Memory first: what is refused for a moment is asked for again by the next. */
	do {
		at = FIRST_WORD + used;
		if (at + words > DEPOT_WORDS || !commit_to(depot, (at + words) * sizeof(uint64_t)))
			return 0;
	} while (!atomic_compare_exchange_weak_explicit(&depot->used, &used, used + words, memory_order_relaxed, memory_order_relaxed));
	return (stack_number)at;
}

static stack_number find(struct depot *depot, stack_number first, uint32_t hash, void *const *frames, unsigned count)
{
	for (stack_number number = first; number != 0; number = stack_at(depot, number)->next) {
		const struct stack *stack = stack_at(depot, number);
		if (stack->hash == hash && stack->count == count &&
		    memcmp(stack->frames, frames, count * sizeof *frames) == 0)
			return number;
	}
	return 0;
}

stack_number depot_put(void *const *frames, unsigned count)
{
	struct depot *depot = reserve_once(&the_depot, DEPOT_BYTES, DEPOT_STEP);
	if (depot == NULL || count == 0)
		return 0;
	uint32_t hash = hash_of(frames, count);
	_Atomic stack_number *chain = &depot->chains[hash % CHAINS];
	stack_number first = atomic_load_explicit(chain, memory_order_acquire);
	stack_number number = find(depot, first, hash, frames, count);
	if (number != 0 || (number = take_room(depot, count)) == 0)
		return number;
	struct stack *stack = stack_at(depot, number);
	stack->hash = hash;
	stack->count = (uint16_t)count;
	memcpy(stack->frames, frames, count * sizeof *frames);
	/* Two threads may add the same stack at once: it is then kept twice. */
	do {
		stack->next = first;
	} while (!atomic_compare_exchange_weak_explicit(chain, &first, number, memory_order_release,
							memory_order_relaxed));
	return number;
}

unsigned depot_get(stack_number number, void *const **frames)
{
	struct depot *depot = reserved_at(&the_depot);
	if (number == 0 || depot == NULL)
		return 0;
	const struct stack *stack = stack_at(depot, number);
	*frames = stack->frames;
	return stack->count;
}

size_t depot_committed(void)
{
	struct depot *depot = reserved_at(&the_depot);
	return depot != NULL ? DEPOT_STEP + atomic_load_explicit(&depot->committed, memory_order_relaxed) : 0;
}
