/* SPDX-License-Identifier: MIT */
/* Everything that can go back to the system, at one call: as the program asks (limit.c), and before a call fails (relief.c). */
#ifndef STRATA_TRIM_H
#define STRATA_TRIM_H

#include "typed_tier.h"

#include <stddef.h>

/* Returns to the system all that can be returned now, without stopping any thread: what all threads have cached (of those that
 * are not at work just now), typed lists, what waits for dead heaps, every free page. Returns the bytes that went meanwhile,
 * what other threads gave back among them. */
size_t trim_all(enum typed_callbacks callbacks);

#endif
