/* SPDX-License-Identifier: MIT */
/*
 * Blocks by any rule, off the fast path: what the API, libc's names and the checked mode are made of. None of these
 * functions looks at check:1 but those that say so.
 */
#ifndef STRATA_CORE_H
#define STRATA_CORE_H

#include "layout.h"

/* core_tag's answer for a pointer outside the region; no heap has this number. */
#define TAG_FOREIGN UINT32_MAX

page_tag core_tag(const void *block);

/* A block of the class; where there is no heap to take it from, a run as large. NULL when memory is refused; errno is not set. */
void *core_allocate_class(unsigned class);

/* The same, and never a run: NULL also because there is no heap, which says nothing of memory. */
void *core_allocate_of_class(unsigned class, bool *without_heap);

/* A block of size bytes at a multiple of alignment (a power of two), zeroed if wanted. NULL when memory is refused; errno
 * is not set. */
void *core_allocate(size_t size, size_t alignment, bool zero);

/* The smallest class whose blocks have size bytes and are so aligned; 0: none, pages are needed. */
unsigned core_aligned_class(size_t size, size_t alignment);

/* Frees a block that is not NULL; function is named in messages. */
void core_free(void *block, const char *function);
void core_free_own(struct heap *heap, void *block, unsigned class);

/* Bytes usable at a block; 0, after a message, for what is no block. */
size_t core_usable(const void *block, const char *function);

/* Bytes that core_allocate(size, 1, false) would make usable; 0 when the size alone makes it fail. */
size_t core_good_size(size_t size);

/* Bytes that core_reallocate allocates for a block of so many that is to have at least size: more, where it grows by a little. */
size_t core_grown_size(size_t size, size_t usable);

/* What is wrong with a pointer that cannot be freed. */
const char *core_fault(const void *block);

/* realloc by the native rule or malloc's; look at check:1. NULL and errno on failure. */
void *core_reallocate(void *block, size_t size, void *(*allocate)(size_t));

/* Aligned allocation; looks at check:1. NULL and errno ENOMEM on failure; alignment is a power of two. */
void *core_aligned(size_t alignment, size_t size);
/* The same for a call that goes on afterwards, and will return to caller. */
void *core_aligned_for(size_t alignment, size_t size, const void *caller);

/* The same for a tier that knows its blocks by their class: the heap profile does not make runs of them. */
void *core_aligned_of_class(size_t alignment, size_t size);

/* A block that is put in quarantine, or leaves it (-1): it is not the program's, statistics take it for cached. */
void core_count_quarantined(const void *block, int64_t sign);

/* Usable size; looks at check:1. */
size_t core_public_usable(const void *block, const char *function);

#endif
