/* SPDX-License-Identifier: MIT */
/*
 * The cold continuations of the typed calls: an empty list, a full one, types with reset, buffers to be made or dropped,
 * misuse. They look at check:1.
 */
#ifndef STRATA_TYPED_SLOW_H
#define STRATA_TYPED_SLOW_H

#include "typed_layout.h"

STRATA_NOINLINE void *typed_alloc_slow(strata_type *type);
/* As many objects, up to count, as the calling thread's list has. */
size_t typed_take_ready(const strata_type *type, void **objects, size_t count);
STRATA_NOINLINE void typed_free_slow(strata_type *type, void *object);
STRATA_NOINLINE void *typed_tuple_alloc_slow(strata_type *type, size_t length);
STRATA_NOINLINE void typed_tuple_free_slow(strata_type *type, void *tuple, size_t length);
/* For lists and dicts. */
STRATA_NOINLINE void *typed_buffered_alloc_slow(strata_type *type, enum strata_shape shape, size_t items);
STRATA_NOINLINE void typed_buffered_free_slow(strata_type *type, enum strata_shape shape, void *object);

/* Gives a list or dict that was taken a buffer for items; NULL and ENOMEM: it is free again. */
STRATA_NOINLINE void *typed_fit(strata_type *type, enum strata_shape shape, void *object, size_t items);

/* Frees a list or dict whose buffer is longer than may be kept: the buffer first. */
STRATA_NOINLINE void typed_free_without_buffer(strata_type *type, enum strata_shape shape, void *object);

/* Zeroes the table of the dict, which is returned. */
STRATA_NOINLINE void *typed_zero_table(void *dict, void *table, size_t bytes);

/* The object on top of the list is freed once more. */
STRATA_COLD void typed_free_twice(const char *function, void *object);

/* Whether the handle is of a registered type, of this shape; if not, says so, with errno EINVAL. */
bool typed_is_registered(const strata_type *type, const char *function);
bool typed_is(const strata_type *type, enum strata_shape shape, const char *function);

#endif
