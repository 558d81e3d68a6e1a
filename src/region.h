/* SPDX-License-Identifier: MIT */
/*
 * The reservation: address space for the heap and the flat arrays that describe it. Memory is committed from the front,
 * and what has been committed is given back page by page, never unmapped.
 */
#ifndef STRATA_REGION_H
#define STRATA_REGION_H

#include "layout.h"

/* Reserves the region unless that was done. 0 or -ENOMEM. May run in several threads at once; one of them wins. */
int region_ready(void);

/* Makes the arenas below end memory, with all that describes them. 0 or -ENOMEM. */
int region_extend(arena_index end);

/* Makes the record of heap number memory. 0 or -ENOMEM. */
int region_extend_heaps(uint32_t number);

/* The same for record number of the domains. */
int region_extend_records(uint32_t number);

/* Arenas that are memory: those below. */
static inline arena_index region_arenas(void)
{
	return (arena_index)(__atomic_load_n(&region_span, __ATOMIC_ACQUIRE) / ARENA_SIZE);
}

/* Bytes committed for strata's own records. */
size_t region_metadata_bytes(void);

/* Makes the mapping of whole arenas anew, as those beside it are, so that to the kernel it is one with them again. 0 or
 * -errno. */
int region_refresh(arena_index first, size_t count);

#endif
