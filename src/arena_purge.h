/* SPDX-License-Identifier: MIT */
/*
 * Free pages go back to the operating system. The pages are claimed first: to all others they are in use meanwhile. Called by the clock
 * (decay.c), where too many are free (retain.c), when a call was refused (relief.c), and to give back everything (trim.c).
 */
#ifndef STRATA_ARENA_PURGE_H
#define STRATA_ARENA_PURGE_H

#include "layout.h"

#include <stddef.h>

#define PURGE_SCAN 1024 /* arenas looked at in one bounded call */

/* A bounded call gives back at most 1 MiB: a purge may go beyond its limit by an arena. */
#define PURGE_STEP (((size_t)1 << 20) - ARENA_SIZE)

/* Gives back free pages that have been idle for idle_ms, at most limit bytes (and at most one arena more), going on where
 * the last call stopped. Returns the bytes given back. limit SIZE_MAX: all there is, however young, and though some was just refused. */
size_t arena_purge(size_t limit, uint32_t idle_ms);

/* The same for pages however young: whole arenas first, then rows of at least so many pages. */
size_t arena_purge_young(size_t limit, unsigned least_run);

/* Pages that the caller has in use and has no need of: they no longer count as used, until arena_charge and arena_mark_dirty
 * say otherwise. Returns the bytes. */
size_t arena_purge_used(arena_index arena, uint64_t pages);

#endif
