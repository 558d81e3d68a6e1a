/* SPDX-License-Identifier: MIT */
/*
 * Memory pressure: how near the limits of the process and of its container are, a number from 0 to PRESSURE_MOST. Asked by what keeps
 * free memory (decay.c, retain.c, run_cache.c, remote.c): it shortens the time that this may wait, and lowers the amount that may.
 */
#ifndef STRATA_PRESSURE_H
#define STRATA_PRESSURE_H

#include <stddef.h>

#define PRESSURE_MOST 15u

unsigned pressure_level(void);

/* What is left, at the present pressure, of a time or an amount that would be allowed without any. */
size_t pressure_shrink(size_t amount);

/* The nearest limit: the program's or the container's. SIZE_MAX without one. */
size_t pressure_limit(void);

/* Bytes that may yet be had beside so many in use, were those that are free given back, before the nearest limit is met;
 * SIZE_MAX without a limit. */
size_t pressure_headroom(size_t used_bytes, size_t free_bytes);

#endif
