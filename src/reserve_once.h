/* SPDX-License-Identifier: MIT */
/*
 * A reservation that the first who needs it makes, and all use from then on, without waiting for each other: who comes second lets his go.
 */
#ifndef STRATA_RESERVE_ONCE_H
#define STRATA_RESERVE_ONCE_H

#include "compiler.h"
#include "os.h"

/* NULL until it is there; never changed again. */
typedef _Atomic(void *) reserved_once;

/* What is there, or else so many bytes of address space, of which the first ones are memory and zero. NULL: refused. Release: those are
 * memory; partners: this acquire, and that in reserved_at. */
static inline void *reserve_once(reserved_once *where, size_t size, size_t committed)
{
	void *there = atomic_load_explicit(where, memory_order_acquire);
	if (likely(there != NULL))
		return there;
	void *mine = os_reserve(size, os_page_size());
	if (mine == NULL)
		return NULL;
	if ((committed == 0 || os_commit(mine, committed) == 0) &&
	    atomic_compare_exchange_strong_explicit(where, &there, mine, memory_order_acq_rel, memory_order_acquire))
		return mine;
	os_release(mine, size);
	return there;
}

/* NULL: nobody has needed it yet. */
static inline void *reserved_at(reserved_once *where)
{
	return atomic_load_explicit(where, memory_order_acquire);
}

#endif
