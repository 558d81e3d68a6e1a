/* SPDX-License-Identifier: MIT */
/*
 * One thread's list of one record: filled, emptied, bounded. Called by the thread (typed_slow.c), and by those who empty lists for it
 * (typed_idle.c, typed_claim.c).
 */
#ifndef STRATA_TYPED_LIST_H
#define STRATA_TYPED_LIST_H

#include "typed_depot.h"
#include "typed_layout.h"

/* How many objects a list of any thread holds, and what their buffers hold. */
unsigned list_count(const struct type_list *list);

/* Of a closed list that is left to the owner, or to whoever unregisters its type, or has claimed the cache of an owner that ended: it is
 * as it was, but for what was taken. To be called before list_push and what is named after it, which find the list open. */
void list_open(struct type_cache *cache, const strata_type *record);

/* What the objects' buffers hold, without those that were taken. By anyone: too much for a moment while the list is opened. */
uint64_t list_kept(const struct type_list *list);

/* By whoever has claimed the cache (typed_claim.c). How many objects can be taken, closed or not; a hint, by anyone. */
unsigned list_count_claimable(const struct type_list *list);
/* False: it is closed already, or there is nothing to take. */
bool list_close(struct type_cache *cache, const strata_type *record);
/* Takes the oldest objects of a closed list, and lowers its limit to what is left and one. */
unsigned list_claim(struct type_cache *cache, const strata_type *record, void **objects, unsigned most);

/* Onto a list that has room, off a list that is not empty. */
void list_push(const strata_type *record, struct type_list *list, void *object);
void *list_pop(const strata_type *record, struct type_list *list);

/* Raises the list's limit, by as much as it has been missed or to begin with, within all bounds. False: not at all. */
bool list_raise_limit(struct type_cache *cache, const strata_type *record);

/* Lowers it to the type's bounds, if they have become narrower. */
void list_lower_limit(struct type_cache *cache, const strata_type *record);

/* Destroys what the list holds, and gives up its array. Returns the bytes freed. */
size_t list_empty(struct type_cache *cache, const strata_type *record);

/* As it is before its first use; it holds nothing. Others read it meanwhile, for hints. */
void list_reset(struct type_list *list);

/* Fills the list, which is empty, with a batch from the depot. False: there is none. */
bool list_refill(struct type_cache *cache, const strata_type *record);

/* Moves up to a batch of the newest to the depot, or below if it has no room. */
void list_spill(struct type_cache *cache, const strata_type *record);

/* Objects that are on no list any more: to the depot, or below as far as it has no room. Returns the bytes that went below. */
size_t list_put_away(const strata_type *record, void **objects, unsigned count);

/* A batch from the depot, its bytes taken off the bound on all. */
unsigned list_take_from_depot(const strata_type *record, void *objects[BATCH_OBJECTS]);

/* What all lists may hold by their limits, and what the depots hold, changes by so many bytes. */
void list_count_all(int64_t bytes);
size_t list_weight(const strata_type *record);

#endif
