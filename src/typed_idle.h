/* SPDX-License-Identifier: MIT */
/*
 * Free objects that nobody wants: a thread's own lists and all depots looked at by the clock, on the thread's slow path (typed_slow.c), and
 * emptied when asked to (typed_tier.h).
 */
#ifndef STRATA_TYPED_IDLE_H
#define STRATA_TYPED_IDLE_H

#include "typed_layout.h"

/* Called on slow paths, with the calling thread's cache entered: looks now and then for what is idle, and empties it. */
void typed_tick(struct type_cache *cache);

/* All that may be freed in the type's lists of the calling thread and in its depots. Bytes freed. */
size_t typed_trim_type(struct type *type);

#endif
