/* SPDX-License-Identifier: MIT */
#include "stack_depot.h"

#include "os.h"

#include <string.h>

/*
 * One reservation: the table of chains, then the stacks, one after the other. A stack's number is its place, in words from
 * the start. Stacks are only added: published by a compare-and-swap (release) on the head of their chain, and found by
 * loads (acquire) from there.
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

/* Written once, by the first who needs it; read by all. Release: the first step is committed; partners: the acquires in
 * depot_start and depot_get. */
static _Atomic(char *) depot;
/* Bytes from the start. Raised by who committed more, read by who takes room. Release: those are committed; partner: the
 * acquire in commit_to. */
static _Atomic size_t committed;
/* Words taken: added to by who takes room, but first by who made the depot, after committed: who sees it other than 0, in
 * take_room, sees that as well. From then on it only gives each a place. */
static _Atomic size_t used;

static char *depot_start(void)
{
	char *start = atomic_load_explicit(&depot, memory_order_acquire);
	if (likely(start != NULL))
		return start;
	char *mine = os_reserve(DEPOT_BYTES, os_page_size());
	if (mine == NULL || os_commit(mine, DEPOT_STEP) != 0)
		return NULL;
	if (atomic_compare_exchange_strong(&depot, &start, mine)) {
		atomic_fetch_add(&committed, DEPOT_STEP);
		atomic_fetch_add(&used, CHAINS * sizeof(stack_number) / sizeof(uint64_t) + 1);
		return mine;
	}
	os_release(mine, DEPOT_BYTES);
	return start;
}

static struct stack *stack_at(char *start, stack_number number)
{
	return (struct stack *)(start + (size_t)number * sizeof(uint64_t));
}

static _Atomic stack_number *chain_of(char *start, uint32_t hash)
{
	return (_Atomic stack_number *)start + hash % CHAINS;
}

static uint32_t hash_of(void *const *frames, unsigned count)
{
	uint64_t hash = count;
	for (unsigned i = 0; i < count; i++)
		hash = (hash ^ (uintptr_t)frames[i]) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(hash >> 32);
}

/* What another thread commits as well is committed all the same; only the larger end is kept. */
static bool commit_to(char *start, size_t end)
{
	size_t have = atomic_load_explicit(&committed, memory_order_acquire);
	if (end <= have)
		return true;
	size_t want = size_min(round_up(end, DEPOT_STEP), DEPOT_BYTES);
	if (end > DEPOT_BYTES || os_commit(start + have, want - have) != 0)
		return false;
	while (have < want && !atomic_compare_exchange_weak(&committed, &have, want))
		;
	return true;
}

static stack_number take_room(char *start, unsigned count)
{
	size_t words = sizeof(struct stack) / sizeof(uint64_t) + count;
	/* Another thread has made the depot and not yet said so in these words. */
	if (unlikely(atomic_load(&used) == 0))
		return 0;
	size_t at = atomic_fetch_add_explicit(&used, words, memory_order_relaxed);
	/* Room that could not be committed is left unused: others may have taken what follows. */
	if (at + words > DEPOT_WORDS || !commit_to(start, (at + words) * sizeof(uint64_t)))
		return 0;
	return (stack_number)at;
}

static stack_number find(char *start, stack_number first, uint32_t hash, void *const *frames, unsigned count)
{
	for (stack_number number = first; number != 0; number = stack_at(start, number)->next) {
		const struct stack *stack = stack_at(start, number);
		if (stack->hash == hash && stack->count == count &&
		    memcmp(stack->frames, frames, count * sizeof *frames) == 0)
			return number;
	}
	return 0;
}

stack_number depot_put(void *const *frames, unsigned count)
{
	char *start = depot_start();
	if (start == NULL || count == 0)
		return 0;
	uint32_t hash = hash_of(frames, count);
	_Atomic stack_number *chain = chain_of(start, hash);
	stack_number first = atomic_load_explicit(chain, memory_order_acquire);
	stack_number number = find(start, first, hash, frames, count);
	if (number != 0 || (number = take_room(start, count)) == 0)
		return number;
	struct stack *stack = stack_at(start, number);
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
	char *start = atomic_load_explicit(&depot, memory_order_acquire);
	if (number == 0 || start == NULL)
		return 0;
	const struct stack *stack = stack_at(start, number);
	*frames = stack->frames;
	return stack->count;
}
