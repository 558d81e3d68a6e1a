/* SPDX-License-Identifier: MIT */
/*
 * The clock by which free pages go back to the operating system: any thread's slow path does the work for all, a bounded
 * part at a time. Ticked by the slow paths of heaps, runs and frees across threads, and by the background thread.
 */
#ifndef STRATA_DECAY_H
#define STRATA_DECAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Called on slow paths, often: what is free beyond the bounds goes at once (decay_bound), what has been idle for long at most every few
 * milliseconds. Returns how many bytes the caller's heap may give back beside: 0 when the time has not come, or when it did all that one
 * call may do. */
size_t decay_tick(void);

/* The part of it that does not wait for the clock, after pages were returned: gives back, at most 1 MiB and a run, what is beyond the
 * bounds. */
void decay_bound(void);

/* Whether the time has come for the next call of decay_tick to look for what is idle. Reads the clock. */
bool decay_is_due(void);

/* The clock as the last tick saw it, in ms: a few ms old in a busy process, older in an idle one. Costs one load. */
uint32_t decay_now(void);

/* The bounded part now, whatever the clock says. Returns the bytes given back,
 * and those taken home from sleeping threads. */
size_t decay_step(void);

#endif
