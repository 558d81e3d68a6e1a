/* SPDX-License-Identifier: MIT */
/*
 * Size classes in decline: more of their blocks are freed than wanted, and some are wanted. From a bin each of these would be the block
 * that was freed last. Where blocks die in the order in which they were made, as in a cache that evicts the oldest, that lies in a pool
 * that would soon be empty, and keeps it for another turn of the cache: a pool that is half empty for each one that is full. So while it
 * lasts the bin is closed (bin_limit.h): blocks go home, and whoever wants one gets it from the pool to which blocks first came home. That
 * costs some 30 ns a call, and is for heaps that have 128 KiB of the class out, what is in its bin included, and pools of it that are a
 * third empty.
 */
#ifndef STRATA_BIN_DECLINE_H
#define STRATA_BIN_DECLINE_H

#include "layout.h"

/* All by whoever holds the heap. */

/* Of a bin that is full, and was full before and not empty since: when so many of the newest blocks are about to go home, whether blocks
 * were taken between. */
bool decline_saw_takes(const struct heap *heap, unsigned class, unsigned newest);

/* After they went: whether their pools are so empty that the class is better off without its bin; if not, where its newest block is, is
 * looked at the next time. */
bool decline_begins(struct heap *heap, unsigned class, unsigned newest, bool takes);

/* Of a class whose bin is closed: after a block came home, or when one is wanted. NULL: the bin is open again, since none is to be had
 * so, or as many are taken as freed. */
void decline_came_home(struct heap *heap, unsigned class, const void *block);
void *decline_take(struct heap *heap, unsigned class);

#endif
