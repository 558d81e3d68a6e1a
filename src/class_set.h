/* SPDX-License-Identifier: MIT */
/* Sets of size classes: which bins a heap has used. Changed by whoever holds the heap. */
#ifndef STRATA_CLASS_SET_H
#define STRATA_CLASS_SET_H

#include "size_class.h"

struct class_set {
	uint32_t words[(CLASS_COUNT + 31) / 32];
};

static inline void class_set_add(struct class_set *set, unsigned class)
{
	set->words[class / 32] |= UINT32_C(1) << class % 32;
}

static inline bool class_set_has(const struct class_set *set, unsigned class)
{
	return set->words[class / 32] >> class % 32 & 1;
}

/* Whether the class was in it. */
static inline bool class_set_remove(struct class_set *set, unsigned class)
{
	uint32_t bit = UINT32_C(1) << class % 32;
	bool was = set->words[class / 32] & bit;
	set->words[class / 32] &= ~bit;
	return was;
}

#endif
