/* SPDX-License-Identifier: MIT */
/* What load_typed.c and load_cpython.c do alike: how long the objects are, and which one is replaced next. */
#ifndef BENCH_SHAPES_H
#define BENCH_SHAPES_H

#include <stddef.h>
#include <stdint.h>

enum shape { LIST, DICT, TUPLE, SHAPES };

/* How many items: most are short, few are not. */
static const uint8_t lengths[SHAPES][16] = {
	[LIST] = {0, 1, 2, 3, 3, 4, 4, 5, 6, 8, 8, 10, 12, 16, 20, 30},
	[DICT] = {0, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5, 5, 6, 8, 10, 20},
	[TUPLE] = {0, 1, 2, 2, 2, 2, 3, 3, 3, 4, 4, 5, 6, 7, 8, 10},
};

/* A place far from the one before it, each as often as the others when count is a power of two. */
static inline size_t scattered(size_t number)
{
	return number * 389;
}

#endif
