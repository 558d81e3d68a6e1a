/* SPDX-License-Identifier: MIT */
/* Speaks to bump.c where it is preloaded; does nothing otherwise. */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

/* Looks whether the floor is there. */
void floor_find(void);

/* From here to floor_leave this thread's blocks come from the slot; none of them may be used after it is entered again.
 * Two threads are never in one slot. */
void floor_enter(unsigned slot);
void floor_leave(void);

#endif /* BENCH_FLOOR_H */
