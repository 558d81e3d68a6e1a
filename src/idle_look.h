/* SPDX-License-Identifier: MIT */
/*
 * Whether a thread has used something since one last looked: a sum over words that change when it does, and since when it has been
 * the same. Written by whoever looks, any thread, relaxed: nothing hangs on it but when memory is taken from a sleeper.
 */
#ifndef STRATA_IDLE_LOOK_H
#define STRATA_IDLE_LOOK_H

#include "compiler.h"

struct idle_look {
	_Atomic uint32_t sum;
	_Atomic uint32_t since; /* os_clock_ms, 32 bits of it */
};

static inline uint64_t idle_mix(uint64_t sum, uint64_t value)
{
	return sum * UINT64_C(0x9e3779b97f4a7c15) + value;
}

/* Whether the sum has been the same for idle_ms. */
static inline bool idle_for(struct idle_look *last, uint64_t words, uint32_t now, uint32_t idle_ms)
{
	uint32_t sum = (uint32_t)(words ^ words >> 32);
	/* Acquire, release: who finds the sum finds the time that goes with it, or a later one. */
	if (atomic_load_explicit(&last->sum, memory_order_acquire) != sum) {
		atomic_store_explicit(&last->since, now, memory_order_relaxed);
		atomic_store_explicit(&last->sum, sum, memory_order_release);
		return false;
	}
	return is_older(now, atomic_load_explicit(&last->since, memory_order_relaxed), idle_ms);
}

#endif
