/* SPDX-License-Identifier: MIT */
/*
 * C++ operators new and delete that are called often, in C: they go the fast path with no frame. operators.cc has the rest,
 * and what happens when memory is refused; it sees these under the same names.
 */
#ifndef STRATA_NEW_DELETE_H
#define STRATA_NEW_DELETE_H

#include "compiler.h"

/* Second names of our own definitions, which are never bound to a program's replacements. */
STRATA_HIDDEN void *strata_new(size_t size);
STRATA_HIDDEN void *strata_new_array(size_t size);
STRATA_HIDDEN void strata_delete(void *block);
STRATA_HIDDEN void strata_delete_array(void *block);
STRATA_HIDDEN void strata_delete_sized(void *block, size_t size);
STRATA_HIDDEN void strata_delete_array_sized(void *block, size_t size);
STRATA_HIDDEN void strata_delete_sized_aligned(void *block, size_t size);

/* In operators.cc: calls the new_handler until there is memory, or throws. */
STRATA_HIDDEN void *strata_new_failed(size_t size);

#endif
