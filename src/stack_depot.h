/* SPDX-License-Identifier: MIT */
/*
 * Stacks of calls, each kept once, for as long as the process lives; a number stands for one.
 */
#ifndef STRATA_STACK_DEPOT_H
#define STRATA_STACK_DEPOT_H

#include "compiler.h"

#define DEPOT_FRAMES 16u

typedef uint32_t stack_number; /* 0: not known */

/* The number of the stack. 0 where there is no room for it. */
stack_number depot_put(void *const *frames, unsigned count);

/* Bytes of records, as committed. */
size_t depot_committed(void);

/* The stack with this number: its frames, and how many. */
unsigned depot_get(stack_number number, void *const **frames);

#endif
