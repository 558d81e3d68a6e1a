/* SPDX-License-Identifier: MIT */
/*
 * fork copies the process while its other threads go on. A heap that is being changed at that moment is of no use to the
 * child; so the forking thread holds every heap that nobody is in, from before the copy to after it, and those serve the
 * child as dead heaps. Nobody waits: neither the fork for a heap that is in use (the child lets it alone for ever, a ghost)
 * nor a thread for its heap. A thread that finds its own held works with a spare meanwhile, and goes back to its own when
 * it comes to its slow path after the fork. Spares are never held, and are ghosts to the child. There are at most as many as
 * threads that had one at the same time: forking does not make heaps more and more.
 *
 * Threads may fork at the same time: heaps stay held until the last of those forks is over.
 */
#ifndef STRATA_FORK_H
#define STRATA_FORK_H

#include "layout.h"

/* By the forking thread, whose heap (or NULL) is mine. */
void fork_begin(const struct heap *mine);
void fork_end_in_parent(void);
void fork_end_in_child(struct heap *mine);

bool fork_is_under_way(void);
bool fork_holds(const struct heap *heap);

#endif
