/* SPDX-License-Identifier: MIT */
/*
 * How many free pages may be kept, whatever their age: what is beyond goes back in the call that frees. Asked by decay.c after pages were
 * returned, and by runs before they keep what they had.
 */
#ifndef STRATA_RETAIN_H
#define STRATA_RETAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Called after pages were returned: gives back a part, at most 1 MiB, of what is beyond the bound. Returns whether there was any. */
bool retain_bound(void);

/* Whether that many more free pages may be kept for now. */
bool retain_has_room(size_t pages);

/* So many pages went back at once, for want of room. */
void retain_gave_young(size_t pages);

/* By the clock (ms): what a process may keep because it wanted it back becomes less when it does not use it. */
void retain_narrow(uint64_t now);

#endif
