/* SPDX-License-Identifier: MIT */
/*
 * How hungrily memory goes back: a number from 0, no limit is near, to HUNGER_MOST. It shortens the time that free memory
 * may wait and lowers the amount that may.
 */
#ifndef STRATA_HUNGER_H
#define STRATA_HUNGER_H

#include <stddef.h>

#define HUNGER_MOST 15u

unsigned hunger(void);

/* What is left, at the present hunger, of a time or an amount that would be allowed without any. */
size_t hunger_shrink(size_t amount);

/* The nearest limit: the program's or the container's. SIZE_MAX without one. */
size_t hunger_limit(void);

/* Bytes that may yet be had beside so many in use, were those that are free given back, before the nearest limit is met;
 * SIZE_MAX without a limit. */
size_t hunger_room(size_t used_bytes, size_t free_bytes);

#endif
