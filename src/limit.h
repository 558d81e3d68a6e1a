/* SPDX-License-Identifier: MIT */
/*
 * The process's limits: what a call does that was refused, before it fails; the emergency reserve; and the program's
 * handler, which is told. Nothing here waits, and no heap may be held by whoever calls.
 *
 *   limit       used pages + dirty free pages; kept by arena_charge, and exceeded by nothing
 *   limit_soft  the same sum; whoever makes it rise above tells the handler, once, until it has fallen by a sixteenth
 *   emergency   arenas that are charged and committed, but not touched: they cost no memory, and cannot be refused
 */
#ifndef STRATA_LIMIT_H
#define STRATA_LIMIT_H

#include "compiler.h"
#include "options.h"
#include "typed.h"

struct relief {
	size_t size; /* of the request that was refused, */
	size_t alignment; /* and what it is to be a multiple of; 0: nothing that matters here */
	unsigned stage;
};

/* Whether something was made free since the request was refused, so that it is worth another try. First free pages go back
 * to the system, then everything that can; then the emergency reserve is let go; at last the handler is asked. Not while the
 * thread only tries (thread.h). */
bool relief_gave(struct relief *relief);

/* Tells the handler if the soft limit has been passed, and takes the reserve if it is to be had. */
void limit_look(void);

/* After a setting was changed: the same, with all that heaps owe in the sum. */
void limit_changed(void);

/* After an allocation off the fast path: whether a limit has been passed. */
static inline void limit_after_allocation(void)
{
	const struct options *in_force = options();
	if (unlikely(in_force->limit_soft_bytes != 0 || in_force->emergency_bytes != 0))
		limit_look();
}

/* Forgets what the handler was told if that is past. */
void limit_look_down(void);

/* After pages were freed: whether what the handler was told of is past. Else a fall between two allocations would not be seen. */
static inline void limit_after_free(void)
{
	if (unlikely(options()->limit_soft_bytes != 0))
		limit_look_down();
}

/* As the program asks: all that can go back, now (trim.h), or what is due, a part of it. What the handler was told of may be past then.
 * Return the bytes that went. */
size_t limit_trim(void);
size_t limit_maintain(enum typed_callbacks callbacks);

/* Held in reserve. */
size_t limit_emergency_bytes(void);

#endif
