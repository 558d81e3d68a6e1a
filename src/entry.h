/* SPDX-License-Identifier: MIT */
/*
 * What the faces of the allocator (api.c, malloc.c, new_delete.c, typed_below.c) share: the way in by malloc's rule, and calloc's.
 */
#ifndef STRATA_ENTRY_H
#define STRATA_ENTRY_H

#include "fast.h"
#include "options.h"

#include <errno.h>
#include <string.h>

/* Blocks of 16 bytes and more are aligned to 16. slow: what goes on when the bin is empty or the block large. */
STRATA_FAST void *entry_allocate16(size_t size, void *(*slow)(size_t))
{
	if (likely(size <= LOOKED_UP_MAX))
		return fast_allocate(size, code_aligned16[size], slow);
	if (likely(size <= MEDIUM_MAX))
		return fast_allocate(size, medium_code(size), slow);
	return slow(size);
}

STRATA_FAST size_t entry_good_size16(size_t size)
{
	return bytes_of_code(likely(size <= LOOKED_UP_MAX) ? code_aligned16[size] : medium_code(size));
}

/* The bytes of an array; false and ENOMEM when they are too many to count. */
STRATA_FAST bool entry_array_size(size_t count, size_t size, size_t *bytes)
{
	if (likely(!__builtin_mul_overflow(count, size, bytes)))
		return true;
	errno = ENOMEM;
	return false;
}

/* All of the block, as other allocators clear it; of a checked one, which ends there, what was asked for. One that the heap profile samples
 * has as much at least (sampled_size in profile.c): whether it is one cannot be asked of the setting, which may change meanwhile. */
STRATA_FAST size_t entry_cleared(size_t bytes, size_t of_class)
{
	return unlikely(options()->check) ? bytes : of_class;
}

/* good_size: what allocate makes usable of so many bytes. */
STRATA_FAST void *entry_calloc(size_t count, size_t size, void *(*allocate)(size_t), size_t (*good_size)(size_t))
{
	size_t bytes;
	if (unlikely(!entry_array_size(count, size, &bytes)))
		return NULL;
	if (unlikely(bytes > CLEARED_MAX))
		return allocate_zeroed_slow(bytes);
	void *block = allocate(bytes);
	return block != NULL ? memset(block, 0, entry_cleared(bytes, good_size(bytes))) : NULL;
}

#endif
