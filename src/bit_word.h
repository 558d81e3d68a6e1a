/* SPDX-License-Identifier: MIT */
/*
 * Words of 64 bits, each bit something that is free or taken: found by pattern, and changed by many threads at once.
 */
#ifndef STRATA_BIT_WORD_H
#define STRATA_BIT_WORD_H

#include "compiler.h"

#define ALL_BITS (~UINT64_C(0))

/* The lowest count of the word's ones; all of them if it has fewer. */
static inline uint64_t lowest_bits(uint64_t word, unsigned count)
{
	if (count >= bit_count(word))
		return word;
	uint64_t rest = word;
	while (count-- > 0)
		rest &= rest - 1;
	return word & ~rest;
}

/* The row of ones that begins at the word's lowest. */
static inline uint64_t lowest_run(uint64_t word)
{
	unsigned first = bit_lowest(word);
	uint64_t zeros = ~(word >> first);
	return (zeros != 0 ? bits_below((unsigned)size_min(bit_lowest(zeros), 64 - first)) : ALL_BITS) << first;
}

/* The ones from which on, upward, there are count ones without a gap. */
static inline uint64_t first_of_runs(uint64_t word, unsigned count)
{
	for (unsigned rest = count; rest > 1;) {
		unsigned shift = rest / 2;
		word &= word >> shift;
		rest -= shift;
	}
	return word;
}

static inline uint64_t multiples_of(unsigned alignment)
{
	uint64_t word = 0;
	for (unsigned at = 0; at < 64; at += alignment)
		word |= UINT64_C(1) << at;
	return word;
}

/* Sequentially consistent, as everything about the shared lists; the line is written only if the bit changes. */
static inline void set_bit(_Atomic uint64_t *word, uint64_t bit)
{
	if (!(atomic_load(word) & bit))
		atomic_fetch_or(word, bit);
}

static inline void clear_bit(_Atomic uint64_t *word, uint64_t bit)
{
	if (atomic_load(word) & bit)
		atomic_fetch_and(word, ~bit);
}

/* Sets the bits if none of them is set; false: one was. */
static inline bool claim_bits(_Atomic uint64_t *word, uint64_t bits)
{
	uint64_t seen = atomic_load(word);
	do {
		if (seen & bits)
			return false;
	} while (!atomic_compare_exchange_weak(word, &seen, seen | bits));
	return true;
}

#endif
