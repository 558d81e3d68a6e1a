/* SPDX-License-Identifier: MIT */
/* The native interface: include/strata/strata.h says what each function promises. */
#include <strata/strata.h>

#include "background.h"
#include "core.h"
#include "entry.h"
#include "limit.h"

#include <errno.h>

/* ---- One block ------------------------------------------------------------------------------------------------------ */

STRATA_FAST void *allocate8(size_t size)
{
	if (likely(size <= OBJECT_MAX))
		return fast_allocate_object(size, object_bytes(size), allocate_slow);
	if (likely(size <= MEDIUM_MAX))
		return fast_allocate(size, medium_code(size), allocate_slow);
	return allocate_slow(size);
}

STRATA_FAST size_t good_size8(size_t size)
{
	return likely(size <= OBJECT_MAX) ? object_bytes(size) : bytes_of_code(medium_code(size));
}

STRATA_PUBLIC STRATA_ENTRY void *strata_malloc(size_t size)
{
	return allocate8(size);
}

STRATA_PUBLIC STRATA_ENTRY void strata_free(void *block)
{
	fast_free(block);
}

STRATA_PUBLIC void *strata_calloc(size_t count, size_t size)
{
	return entry_calloc(count, size, allocate8, good_size8);
}

STRATA_PUBLIC void *strata_realloc(void *block, size_t size)
{
	return core_reallocate(block, size, allocate_slow);
}

STRATA_PUBLIC void strata_free_sized(void *block, size_t size)
{
	fast_free_sized(block, size);
}

STRATA_PUBLIC void *strata_aligned_alloc(size_t alignment, size_t size)
{
	if (!is_power_of_two(alignment)) {
		errno = EINVAL;
		return NULL;
	}
	return core_aligned(alignment, size);
}

STRATA_PUBLIC size_t strata_usable_size(const void *block)
{
	return core_public_usable(block, "strata_usable_size");
}

STRATA_PUBLIC size_t strata_good_size(size_t size)
{
	size_t good = core_good_size(size);
	return unlikely(options()->check) && good != 0 ? size : good;
}

/* ---- Many blocks ---------------------------------------------------------------------------------------------------- */

STRATA_PUBLIC size_t strata_malloc_batch(size_t size, size_t count, void **blocks)
{
	for (size_t i = 0; i < count; i++) {
		blocks[i] = allocate8(size);
		if (unlikely(blocks[i] == NULL))
			return i;
	}
	return count;
}

STRATA_PUBLIC void strata_free_batch(void *const *blocks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fast_free(blocks[i]);
}

/* ---- Memory that goes back ------------------------------------------------------------------------------------------ */

STRATA_PUBLIC size_t strata_trim(void)
{
	background_consider(NULL);
	return limit_trim();
}

STRATA_PUBLIC size_t strata_maintain(void)
{
	background_consider(NULL);
	return limit_maintain(CALLBACKS_MAY_RUN);
}

STRATA_PUBLIC const char *strata_version(void)
{
	return PACKAGE_VERSION;
}
