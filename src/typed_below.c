/* SPDX-License-Identifier: MIT */
#include "typed_below.h"

#include "check.h"
#include "core.h"
#include "entry.h"
#include "profile.h"

#include <errno.h>
#include <string.h>

/* ---- Counting ------------------------------------------------------------------------------------------------------- */

/* Threads that have no cache (under check:1, and at their end) count here, by atomic additions. */
static STRATA_LARGE struct list_cold shared_colds[RECORD_COUNT];

struct list_cold *below_shared_cold(const strata_type *record)
{
	return &shared_colds[record_index(record)];
}

#define COUNT(record, field, n)                                                                              \
	do {                                                                                                 \
		struct list_cold *cold_ = cache_own_cold(record);                                            \
		if (likely(cold_ != NULL))                                                                   \
			owner_add(cold_->field, (n));                                                        \
		else                                                                                         \
			__atomic_fetch_add(&below_shared_cold(record)->field, (n), __ATOMIC_RELAXED);        \
	} while (0)

void below_count_items(const strata_type *record, int64_t items)
{
	COUNT(record, buffer_items, items);
}

/* ---- Blocks --------------------------------------------------------------------------------------------------------- */

size_t below_block_size(const strata_type *record)
{
	return record->code != 0 ? size_classes[record->code / 2].size : core_good_size(record->size);
}

static void *take_block(const strata_type *record)
{
	if (likely(record->code != 0))
		return fast_allocate(size_classes[record->code / 2].size, record->code, allocate_slow_of_class);
	return core_aligned_of_class(record->type->alignment, record->size);
}

void *below_construct(const strata_type *record, void *object, size_t size)
{
	if (record->mark != 0) {
		*buffer_of(record, object) = NULL;
		*capacity_of(record, object) = 0;
	}
	if (record->type->construct != NULL) {
		int result = record->type->construct(object, size, record->type->context);
		if (unlikely(result != 0)) {
			fast_free(object);
			errno = result;
			return NULL;
		}
	}
	COUNT(record, constructed, 1);
	return object;
}

void *below_make(const strata_type *record)
{
	void *object = take_block(record);
	return likely(object != NULL) ? below_construct(record, object, record->size) : NULL;
}

void *below_make_long(const strata_type *record, size_t size)
{
	void *object = core_aligned_of_class(record->type->alignment, size);
	if (object == NULL || below_construct(record, object, size) == NULL)
		return NULL;
	below_count_items(record, (int64_t)core_usable(object, "strata_type_alloc"));
	return object;
}

STRATA_NOINLINE size_t below_drop_buffer(const strata_type *record, void *object)
{
	void **buffer = buffer_of(record, object);
	size_t *capacity = capacity_of(record, object);
	size_t bytes = *capacity * record->item_size;
	if (*buffer == NULL)
		return 0;
	below_count_items(record, -(int64_t)*capacity);
	fast_free(*buffer);
	*buffer = NULL;
	*capacity = 0;
	return bytes;
}

size_t below_destroy(const strata_type *record, void *object, size_t size)
{
	if (record->type->destroy != NULL)
		record->type->destroy(object, size, record->type->context);
	COUNT(record, returned, 1);
	return record->mark != 0 ? below_drop_buffer(record, object) : 0;
}

size_t below_unmake(const strata_type *record, void *object)
{
	if (unlikely(!below_looks_right(record, object, "strata_type_free")))
		return 0;
	size_t bytes = below_block_size(record) + below_destroy(record, object, record->size);
	fast_free(object);
	return bytes;
}

void below_unmake_long(const strata_type *record, void *object, size_t size)
{
	below_destroy(record, object, size);
	below_count_items(record, -(int64_t)core_usable(object, "strata_type_free"));
	fast_free(object);
}

bool below_looks_right(const strata_type *record, const void *object, const char *function)
{
	page_tag tag = core_tag(object);
	const char *fault = NULL;
	if (tag == TAG_FOREIGN || tag == 0)
		fault = core_fault(object);
	else if (record->code != 0 && (tag & TAG_CODE_MASK) != record->code)
		fault = "object of another type";
	if (unlikely(fault != NULL))
		misuse(function, object, fault);
	return fault == NULL;
}

/* ---- Buffers -------------------------------------------------------------------------------------------------------- */

/* A buffer is a block by malloc's rule: aligned to 16 bytes. */
static size_t buffer_bytes(size_t bytes)
{
	return core_good_size(bytes <= OBJECT_MAX ? round_up(bytes, 16) : bytes);
}

static void *allocate_buffer(size_t bytes)
{
	return entry_allocate16(bytes, allocate_slow_of_class);
}

#define LEAST_ITEMS 4u

void *below_grow(const strata_type *record, void *buffer, size_t capacity, size_t items, size_t *got)
{
	size_t wanted = size_max(size_max(items, capacity + capacity / 2), LEAST_ITEMS);
	size_t bytes;
	if (__builtin_mul_overflow(wanted, (size_t)record->item_size, &bytes) || buffer_bytes(bytes) == 0) {
		errno = ENOMEM;
		return NULL;
	}
	bytes = buffer_bytes(bytes);
	profile_pause();
	void *grown = core_reallocate(buffer, bytes, allocate_buffer);
	profile_resume();
	if (grown != NULL) {
		*got = bytes / record->item_size;
		below_count_items(record, (int64_t)(*got - capacity));
	}
	return grown;
}

void *below_table(const strata_type *record, size_t slots)
{
	size_t bytes;
	if (__builtin_mul_overflow(slots, (size_t)record->item_size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	profile_pause();
	void *table = bytes > CLEARED_MAX ? allocate_zeroed_slow(bytes) : allocate_buffer(bytes);
	profile_resume();
	if (table == NULL)
		return NULL;
	if (bytes <= CLEARED_MAX)
		memset(table, 0, bytes);
	below_count_items(record, (int64_t)slots);
	return table;
}
