/* SPDX-License-Identifier: MIT */
/*
 * For the programs beside it: a check that may be used in any thread, and something to do with memory. They know no
 * test framework, because they are linked in every way there is, and fork.
 */
#ifndef STRATA_TESTS_LIFECYCLE_H
#define STRATA_TESTS_LIFECYCLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Ends the process at once where the condition does not hold. */
#define check(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))

__attribute__((noreturn)) static inline void check_failed(const char *file, int line, const char *condition)
{
	dprintf(2, "%s:%d: failed: %s\n", file, line, condition);
	_exit(1);
}

/* A small linear congruential generator: the same sequence everywhere. */
static inline unsigned next_random(unsigned *state)
{
	*state = *state * 1103515245u + 12345u;
	return *state >> 8;
}

/* Most sizes are small, some medium, few are runs of pages. */
static inline size_t random_size(unsigned *state)
{
	const unsigned kind = next_random(state) % 100;

	if (kind < 80)
		return next_random(state) % 600;
	if (kind < 98)
		return next_random(state) % 20000;
	return next_random(state) % 200000;
}

/* A block with its size written at its start and a byte made of it at its end. */
static inline char *block_new(size_t size)
{
	char *block;

	size += sizeof size + 1;
	block = malloc(size);
	check(block != NULL);
	memcpy(block, &size, sizeof size);
	block[size - 1] = (char)(size * 7);
	return block;
}

static inline void block_check(const char *block)
{
	size_t size;

	memcpy(&size, block, sizeof size);
	check(block[size - 1] == (char)(size * 7));
}

static inline void block_free(char *block)
{
	if (!block)
		return;
	block_check(block);
	free(block);
}

/* Replaces blocks of all sizes in 32 slots, verifies each before it is freed, and frees all at the end. */
static inline void churn(unsigned seed, unsigned rounds)
{
	char *slots[32] = {NULL};

	for (unsigned i = 0; i < rounds; i++) {
		char **slot = &slots[next_random(&seed) % 32];

		block_free(*slot);
		*slot = block_new(random_size(&seed));
	}
	for (unsigned i = 0; i < 32; i++)
		block_free(slots[i]);
}

#endif
