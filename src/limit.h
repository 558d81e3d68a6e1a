/* SPDX-License-Identifier: MIT */
/*
 * The process's limits, as calls off the fast path look at them when they are done; what to do about a refusal is in relief.h. Nothing here
 * waits, and no heap may be held by whoever calls.
 *
 *   limit       used pages + dirty free pages; kept by arena_charge, and exceeded by nothing
 *   limit_soft  the same sum; whoever makes it rise above calls the program's handler (pressure_handler.h)
 *   emergency   a reserve for when a call would fail (emergency.h)
 */
#ifndef STRATA_LIMIT_H
#define STRATA_LIMIT_H

#include "compiler.h"
#include "options.h"
#include "pressure_handler.h"
#include "typed_tier.h"

/* Tells the handler if the soft limit has been passed, and takes the reserve if it is to be had. */
void limit_check(void);

/* After a setting was changed: the same, with all that heaps owe in the sum. */
void limit_changed(void);

/* After an allocation off the fast path: whether a limit has been passed. */
static inline void limit_after_allocation(void)
{
	const struct options *in_force = options();
	if (unlikely(in_force->limit_soft_bytes != 0 || in_force->emergency_bytes != 0))
		limit_check();
}

/* After pages were freed: whether what the handler was told of is past. Else a fall between two allocations would not be seen. */
static inline void limit_after_free(void)
{
	if (unlikely(options()->limit_soft_bytes != 0))
		soft_limit_check_fallen();
}

/* As the program asks: all that can go back, now (trim.h), or what is due, a part of it. What the handler was told of may be past then.
 * Return the bytes that went. */
size_t limit_trim(void);
size_t limit_maintain(enum typed_callbacks callbacks);

#endif
