/* SPDX-License-Identifier: MIT */
/*
 * Typed objects under check:1: nothing is cached. Each object is a checked block that ends in a mark of its type, so that
 * one freed to another type, or twice, is found at the call; construct, reset and destroy run as if it left the list at once.
 */
#ifndef STRATA_TYPED_CHECKED_H
#define STRATA_TYPED_CHECKED_H

#include "typed_layout.h"

/* length: of a tuple, whose record is then the stub; else 0. */
STRATA_COLD void *typed_checked_allocate(const strata_type *record, size_t length);
STRATA_COLD void typed_checked_free(const strata_type *record, void *object, size_t length, const char *function);

#endif
