/* SPDX-License-Identifier: MIT */
/*
 * Objects taken from the tier below and given back to it: constructed, destroyed, with their buffers, counted.
 */
#ifndef STRATA_TYPED_BELOW_H
#define STRATA_TYPED_BELOW_H

#include "typed_layout.h"

/* Bytes of an object's block. */
size_t below_block_size(const strata_type *record);

/* A new object, constructed. NULL and errno. */
void *below_make(const strata_type *record);

/* The same for a tuple that is longer than any list's: size bytes. */
void *below_make_long(const strata_type *record, size_t size);

/* The parts of them: what is done to the memory, with its count. A block that cannot be constructed is freed: NULL. */
void *below_construct(const strata_type *record, void *object, size_t size);
size_t below_destroy(const strata_type *record, void *object, size_t size);

/* Destroys an object and frees it with its buffer. Returns the bytes freed. Looks at its page's tag first. */
size_t below_unmake(const strata_type *record, void *object);
void below_unmake_long(const strata_type *record, void *object, size_t size);

/* Frees the object's buffer, which is then NULL. Returns its bytes. */
size_t below_drop_buffer(const strata_type *record, void *object);

/* What threads without a cache have counted. */
struct list_cold *below_shared_cold(const strata_type *record);

/* Buffers became longer by so many items, or shorter. */
void below_count_items(const strata_type *record, int64_t items);

/* A message, and false, for what cannot be an object of the record: its page's tag is of another size class. */
bool below_looks_right(const strata_type *record, const void *object, const char *function);

/* Makes *buffer room for at least items items, or of exactly so many zeroed slots. NULL when memory is refused. */
void *below_grow(const strata_type *record, void *buffer, size_t capacity, size_t items, size_t *got);
void *below_table(const strata_type *record, size_t slots);

#endif
