/* SPDX-License-Identifier: MIT */
/*
 * The blocks that the heap profile (profile.h) samples: of each what was requested, and by whom. Their numbers stand in the records of
 * the runs that they are. Any thread, at any time; none waits.
 */
#ifndef STRATA_SAMPLE_H
#define STRATA_SAMPLE_H

#include "stack_depot.h"

/* A number for a block that is about to be the program's; 0: there is no room for it. */
uint32_t sample_begin(size_t size, stack_number stack);

/* By whoever holds the block. */
void sample_resize(uint32_t number, size_t size);
void sample_end(uint32_t number);

/* Bytes of records, as committed. */
size_t sample_committed(void);

/* All numbers are below this. */
uint32_t sample_bound(void);

/* False: there is no such block now. */
bool sample_look(uint32_t number, size_t *size, stack_number *stack);

#endif
