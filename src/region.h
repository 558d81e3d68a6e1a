/* SPDX-License-Identifier: MIT */
/*
 * The reservation: address space for the heap and the flat arrays that describe it. Memory is committed from the front,
 * and what has been committed is given back page by page, never unmapped.
 */
#ifndef STRATA_REGION_H
#define STRATA_REGION_H

#include "layout.h"

struct extent {
	size_t chunks, heaps;
};

/* The chunks, and each array that describes them or the heaps. */
struct region_part {
	char *start;
	size_t unit;  /* bytes for each chunk, or heap */
	size_t whole; /* units that were reserved */
	bool of_heaps;
};
#define REGION_PARTS 8u

/* Of a region that is ready. */
void region_list_parts(struct region_part parts[REGION_PARTS]);

/* Reserves the region unless that was done. 0 or -ENOMEM. May run in several threads at once; one of them wins. */
int region_ready(void);

/* How far it may be made memory: all of it, or less while a limit on address space leaves no room for that (region_fit.c). Set when the
 * region is made, then by whoever fits it; read by whoever extends, sequentially consistent with extending: region_fit.c says why. Read
 * relaxed by whoever asks whether a request can fit at all. */
struct region_most {
	_Atomic uint32_t arenas, heaps;
	_Atomic uint32_t extending; /* threads in the middle of making more of it memory: counted by them, read by whoever fits */
};
extern STRATA_HIDDEN struct region_most region_most;

/* What is memory already: chunks begun, and heaps or records, to the next step. */
struct extent region_committed(void);

/* Heaps for a reservation of so many chunks; few: where address space is short. */
size_t region_heaps_for(size_t chunk_count, bool few);

/* Whether the region is the calling process's, or that of another whose memory it has for a while (vfork). */
bool region_is_own(void);
void region_become_own(void);

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
