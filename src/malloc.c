/* SPDX-License-Identifier: MIT */
/*
 * libc's names for the same things, by their rules: 16-byte alignment from 16 bytes on, errno as glibc sets it. With
 * STRATA_NO_MALLOC (sanitizers have a malloc of their own) only what operators.cc needs is left.
 */
#include "core.h"
#include "entry.h"
#include "libc_names.h"
#include "os.h"

#include <strata/strata.h>

#include <errno.h>

STRATA_FAST void *allocate16(size_t size)
{
	return entry_allocate16(size, allocate_slow_aligned16);
}

/* For those who call it through a pointer, and from C++. */
void *strata_malloc16(size_t size)
{
	return allocate16(size);
}

void *strata_memalign(size_t alignment, size_t size)
{
	return core_aligned(alignment, size);
}

#ifdef STRATA_NO_MALLOC

void *own_malloc(size_t size)
{
	return allocate16(size);
}

#else

STRATA_PUBLIC STRATA_ENTRY void *malloc(size_t size)
{
	return allocate16(size);
}

__typeof__(malloc) own_malloc __attribute__((alias("malloc")));

STRATA_PUBLIC STRATA_ENTRY void free(void *block)
{
	fast_free(block);
}

STRATA_PUBLIC void *calloc(size_t count, size_t size)
{
	return entry_calloc(count, size, allocate16, entry_good_size16);
}

STRATA_PUBLIC void *realloc(void *block, size_t size)
{
	return core_reallocate(block, size, strata_malloc16);
}

STRATA_PUBLIC void *reallocarray(void *block, size_t count, size_t size)
{
	size_t bytes;
	if (unlikely(!entry_array_size(count, size, &bytes)))
		return NULL;
	return core_reallocate(block, bytes, strata_malloc16);
}

STRATA_PUBLIC void cfree(void *block)
{
	fast_free(block);
}

/* ---- C23 ------------------------------------------------------------------------------------------------------------ */

STRATA_PUBLIC void free_sized(void *block, size_t size)
{
	strata_free_sized(block, size);
}

STRATA_PUBLIC void free_aligned_sized(void *block, size_t alignment, size_t size)
{
	(void)alignment;
	strata_free_sized(block, size);
}

/* ---- Aligned -------------------------------------------------------------------------------------------------------- */

/* C17 7.22.3.1 as amended by DR 460: an alignment that is not supported fails; size need not be a multiple of it. */
STRATA_PUBLIC void *aligned_alloc(size_t alignment, size_t size)
{
	if (unlikely(!is_power_of_two(alignment))) {
		errno = EINVAL;
		return NULL;
	}
	return core_aligned(size_max(alignment, 16), size);
}

/* glibc rounds an alignment that is no power of two up to one; above half the address space there is none. */
STRATA_PUBLIC void *memalign(size_t alignment, size_t size)
{
	size_t rounded = 16;
	if (unlikely(alignment > SIZE_MAX / 2 + 1)) {
		errno = EINVAL;
		return NULL;
	}
	while (rounded < alignment)
		rounded *= 2;
	return core_aligned(rounded, size);
}

/* POSIX.1-2017: the result is returned; errno is set only when memory is refused, for programs written for glibc. */
STRATA_PUBLIC int posix_memalign(void **result, size_t alignment, size_t size)
{
	if (unlikely(!is_power_of_two(alignment) || alignment % sizeof(void *) != 0))
		return EINVAL;
	int saved_errno = errno;
	void *block = core_aligned_for(size_max(alignment, 16), size, __builtin_return_address(0));
	if (unlikely(block == NULL))
		return errno = ENOMEM;
	errno = saved_errno;
	*result = block;
	return 0;
}

STRATA_PUBLIC void *valloc(size_t size)
{
	return core_aligned(os_page_size(), size);
}

STRATA_PUBLIC void *pvalloc(size_t size)
{
	size_t page = os_page_size();
	if (unlikely(size > PTRDIFF_MAX)) {
		errno = ENOMEM;
		return NULL;
	}
	return core_aligned(page, size_max(round_up(size, page), page));
}

STRATA_PUBLIC size_t malloc_usable_size(void *block)
{
	return core_public_usable(block, "malloc_usable_size");
}

/* ---- libc's second names -------------------------------------------------------------------------------------------- */

/* glibc exports these besides. Whoever wraps malloc calls them, and may free what they gave by free. A static program has no
 * second malloc. */
#ifdef PIC
#define ALSO(name, function) STRATA_PUBLIC __typeof__(function) name __attribute__((alias(#function)))
ALSO(__libc_malloc, malloc);
ALSO(__libc_free, free);
ALSO(__libc_calloc, calloc);
ALSO(__libc_realloc, realloc);
ALSO(__libc_memalign, memalign);
ALSO(__libc_valloc, valloc);
ALSO(__libc_pvalloc, pvalloc);
#endif

#endif
