/* SPDX-License-Identifier: MIT */
/*
 * A thread's heap: its bins filled from and emptied into its pools (heap_bins.c); heaps of threads that ended taken over by
 * others.
 *
 * Who may do what, at the same time:
 *   the bins           the owning thread alone; of a dead heap who holds busy; of a sleeping one, see claim.h
 *   pools, records     who holds busy, whether owner, drainer, adopter or fork
 *   owner / drainer    the owner that finds its heap busy leaves it (it becomes a dead heap) and takes another; for as long as a
 *                      fork holds it, then it goes back
 *   two drainers       the second goes away; the first looks again once it has let go of a dead heap
 */
#ifndef STRATA_HEAP_H
#define STRATA_HEAP_H

#include "layout.h"

/* A heap for the calling thread: that of a thread that ended, or a new one, which may have to be a spare. NULL when memory is
 * refused. */
struct heap *heap_acquire(bool new_is_spare);

/* One for the time of a fork: see fork.h. */
struct heap *heap_acquire_spare(void);

/* The owning thread ends, or leaves the heap: its blocks go home, its pools serve others. */
void heap_release(struct heap *heap);

/* Fills the bin of the class if it is empty, and takes a block from it. 0, -ENOMEM, or -EBUSY: someone is in the heap, take
 * another. */
int heap_allocate(struct heap *heap, unsigned class, void **block);

/* With the heap locked: takes over a few partly used pools of the class from a dead heap. Returns 0 when there are none. */
unsigned heap_adopt(struct heap *heap, unsigned class);

/* With the heap locked: the free blocks of one pool, the first in the list, into the bin. Returns how many. */
unsigned heap_take_pool(struct heap *heap, unsigned class);

/* Looks at the clock (decay.h) and does what is due, for the process and for the heap. Its owner, not locked. */
void heap_tick(struct heap *heap);

/* Frees a block of the heap's own pools: raises the limit of its bin, or brings blocks home, if it is full. 0 or -EBUSY. */
int heap_free(struct heap *heap, unsigned class, void *block);

/* Brings home all that the bins hold, and what others freed; returns every page that has no use. 0 or -EBUSY. */
int heap_empty(struct heap *heap);

/* By the owner: takes the heap back that was claimed while it slept, if nobody is in it. */
void heap_wake(struct heap *heap);

/* Takes the heap, for as short as that may be: nobody waits. False: someone is in it. Others than the owner by the second, which leaves
 * alone what a fork is to find as it is. */
bool heap_try_lock(struct heap *heap);
bool heap_try_lock_other(struct heap *heap);
/* By the owner: whatever of the heap was claimed while it slept is its own again. */
bool heap_try_lock_own(struct heap *heap);
void heap_unlock(struct heap *heap);
/* By others: who knows when its owner comes again. The account is flushed to the totals; the second takes home as well what the
 * heap was sent meanwhile, which may be dead. */
void heap_unlock_flushed(struct heap *heap);
void heap_unlock_other(struct heap *heap);

/* Flushes the accounts of all heaps that nobody is in. */
void heap_flush_accounts(void);

/* Whether a dead heap has been sent something, or its thread has left something undone. */
bool heap_dead_waits(struct heap *heap);
/* By whoever was in the heap and has let go of it, and holds no other but its own: does what waits there, and puts the heap on the stack of
 * the dead if it is marked for that (unlisted). */
void heap_look_after_dead(struct heap *heap);
/* The latter alone. */
void heap_list_if_wanted(struct heap *heap);

/* With the heap locked: brings one block home. False: it says on stderr what is wrong with the block. */
bool heap_take_home(struct heap *heap, void *block);

/* With the heap locked, by its owner or when that has left it or sleeps: brings home what a bin holds, or what was taken from it. */
void heap_take_all_home(struct heap *heap, unsigned class);
void heap_take_claimed_home(struct heap *heap, unsigned class, void *const *blocks, unsigned count);

/* With a dead heap locked: what its thread could not do when it left. */
void heap_finish_release(struct heap *heap);

/* Gives back what a dead heap has for its next owner, unless somebody is in it. */
void heap_purge_dead(struct heap *heap);

/* Empties every dead heap, in turn. */
void heap_empty_dead(void);

/* In the child of a fork: there are no dead heaps, until they are buried again. */
void heap_forget_dead(void);
void heap_bury(struct heap *heap);

#endif
