/* SPDX-License-Identifier: MIT */
/*
 * A lock-free stack of numbered, type-stable records: the number of the first in the low half of the head, 0 for none; above
 * it a tag that every change increments. Each record has a word for the number of the next; next_of finds it.
 *
 * Every pair of operations may run at the same time. A pop reads the next of a record that others may have popped and pushed
 * meanwhile: it is still such a record's word, whatever it holds, and the tag makes the exchange of what is out of date fail.
 * 2^32 changes in the middle of one pop would be needed to deceive it.
 */
#ifndef STRATA_NUMBER_STACK_H
#define STRATA_NUMBER_STACK_H

#include "compiler.h"

typedef _Atomic uint64_t number_stack;
typedef _Atomic uint32_t *number_stack_next(uint32_t number);

static inline uint64_t number_stack_head(uint64_t former, uint32_t number)
{
	return ((former >> 32) + 1) << 32 | number;
}

/* Release: what was done to the record, and its next; partner: the acquires in number_stack_pop. */
static inline void number_stack_push(number_stack *stack, uint32_t number, number_stack_next *next_of)
{
	uint64_t top = atomic_load_explicit(stack, memory_order_relaxed);
	do
		atomic_store_explicit(next_of(number), (uint32_t)top, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(stack, &top, number_stack_head(top, number), memory_order_release,
						      memory_order_relaxed));
}

/* 0: there is none. Acquire: the record as who pushed it left it, its next among it; partner: the release in
 * number_stack_push. */
static inline uint32_t number_stack_pop(number_stack *stack, number_stack_next *next_of)
{
	uint64_t top = atomic_load_explicit(stack, memory_order_acquire);
	uint32_t next;
	do {
		if ((uint32_t)top == 0)
			return 0;
		next = atomic_load_explicit(next_of((uint32_t)top), memory_order_relaxed);
	} while (!atomic_compare_exchange_weak_explicit(stack, &top, number_stack_head(top, next), memory_order_acquire,
							memory_order_acquire));
	return (uint32_t)top;
}

#endif
