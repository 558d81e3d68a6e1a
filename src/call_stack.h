/* SPDX-License-Identifier: MIT */
/*
 * Who called: the stack of calls of the calling thread, kept in the depot. For the heap profile and the domains' debug hooks.
 */
#ifndef STRATA_CALL_STACK_H
#define STRATA_CALL_STACK_H

#include "stack_depot.h"

/* The stack from the frame on that a call returns to, or, if that is not among the nearest, from the caller of this function; at most so
 * many frames. 0: it is not known. May take locks of the loader's, and allocate; then a call that comes from there gets 0. */
stack_number call_stack_from(const void *caller, unsigned most);

/* Whether the calling thread is looking: what is allocated now is libc's, for that. */
bool call_stack_is_looked_at(void);

/* From a constructor without priority: stacks can be walked from here on; until then they are not known. */
void call_stack_allow(void);

/* What the first look would otherwise load (a library of the compiler's), now. */
void call_stack_prepare(void);

void call_stack_before_fork(void);
void call_stack_after_fork_in_parent(void);
void call_stack_after_fork_in_child(void);

#endif
