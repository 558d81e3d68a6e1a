/* SPDX-License-Identifier: MIT */
/*
 * The clock by which free pages go back to the operating system: any thread's slow path does the work for all, a bounded
 * part at a time.
 */
#ifndef STRATA_DECAY_H
#define STRATA_DECAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Called on slow paths, often; does something at most every few milliseconds, and says whether it did. */
bool decay_tick(void);

/* The clock as the last tick saw it, in ms: a few ms old in a busy process, older in an idle one. Costs one load. */
uint32_t decay_now(void);

/* The bounded part now, whatever the clock says. Returns the bytes given back,
 * and those taken home from sleeping threads. */
size_t decay_step(void);

#endif
