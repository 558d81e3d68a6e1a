/* SPDX-License-Identifier: MIT */
/*
 * Where the slots of a bin lie: behind the heap's record while they are few, in pages of an arena when the bin is deep. By whoever holds
 * the heap.
 */
#ifndef STRATA_BIN_SLOTS_H
#define STRATA_BIN_SLOTS_H

#include "layout.h"

/* Blocks that a bin of the class holds without pages of its own. */
int32_t slots_near(unsigned class);

/* And at most. */
#define SLOTS_MOST ((int32_t)(ARENA_PAGES * PAGE_SIZE / sizeof(void *)) - 2)

/* And now. */
int32_t slots_capacity(const struct heap *heap, unsigned class);

/* The slot below the first one, which is NULL. */
void **slots_bottom(const struct heap *heap, unsigned class);

/* So that a bin of that limit has a slot for each block; gives pages back that it does without. False: no memory, and nothing is
 * changed. What the bin holds stays in it. */
bool slots_fit(struct heap *heap, unsigned class, int32_t limit);

/* The bin is empty, without pages of its own. */
void slots_reset(struct heap *heap, unsigned class);

/* Of a heap without an owner, with empty bins: gives the memory of all slots back. */
void slots_purge(struct heap *heap);

/* False: the system does not move pages for us, and slots stay where they are. */
bool slots_can_go(void);

/* Where the memory of a heap's slots is. */
struct slots_aside {
	char *near;
	char *far[CLASS_COUNT]; /* of deep bins; NULL: the others', and what could not be moved */
};

/* Of a claimed heap: moves the memory of all slots elsewhere; they are NULL then. What the owner stores into one is in that memory if
 * it comes before, and in the slot if it comes after. Pages of an arena no longer count as used, until slots_wanted. False: nothing was
 * moved. */
bool slots_set_aside(struct heap *heap, struct slots_aside *aside);
void slots_wanted(const struct heap *heap);

/* What was in the slot; NULL if it is none of the bin's, or its memory could not be moved. */
void *slots_look_aside(const struct heap *heap, const struct slots_aside *aside, unsigned class, void **slot);

/* Gives that memory back. */
void slots_release_aside(const struct heap *heap, const struct slots_aside *aside);

/* Pages that the slots of deep bins have, of all heaps. */
size_t slots_pages(void);

#endif
