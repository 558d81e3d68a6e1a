/* SPDX-License-Identifier: MIT */
#include "typed_checked.h"

#include "check.h"
#include "checked.h"
#include "os.h"
#include "typed_below.h"

#include <errno.h>
#include <string.h>

/* Behind the object; the first word mixed, so that what a program writes by accident is never taken for it. */
struct mark {
	uint64_t record;
	uint64_t length;
};

static uint64_t mix(const strata_type *record, const void *object)
{
	return (uintptr_t)record ^ os_secret() ^ (uintptr_t)object * UINT64_C(0xc2b2ae3d27d4eb4f);
}

static size_t size_of(const strata_type *record, size_t length)
{
	return record->size + (record->type->shape == STRATA_TUPLE ? length * record->item_size : 0);
}

/* Tuples of all lengths are counted in the stub, which counts their bytes as well. */
static void count_tuple(const strata_type *record, int64_t size)
{
	if (record->type->shape == STRATA_TUPLE)
		below_count_items(record, size);
}

void *typed_checked_allocate(const strata_type *record, size_t length)
{
	size_t size = size_of(record, length);
	char *object = checked_allocate(size + sizeof(struct mark), record->type->alignment, false);
	if (object == NULL)
		return NULL;
	struct mark mark = { mix(record, object), length };
	memcpy(object + size, &mark, sizeof mark);
	if (below_construct(record, object, size) == NULL)
		return NULL;
	count_tuple(record, (int64_t)size);
	return object;
}

/* The block is the program's, and the mark behind it that of the record and length. */
static bool is_of_type(const strata_type *record, const char *object, size_t length, const char *function)
{
	size_t requested;
	if (!checked_measure(object, function, &requested))
		return false;
	struct mark mark = { 0, 0 };
	if (requested >= sizeof mark)
		memcpy(&mark, object + requested - sizeof mark, sizeof mark);
	if (mark.record == mix(record, object) && mark.length == length)
		return true;
	bool same_type = mark.record == mix(record, object);
	misuse(function, object, same_type ? "tuple of another length" : "object of another type, or written past its end");
	return false;
}

void typed_checked_free(const strata_type *record, void *object, size_t length, const char *function)
{
	int saved_errno = errno;
	size_t size = size_of(record, length);
	if (!is_of_type(record, object, length, function))
		return;
	if (record->type->reset != NULL)
		record->type->reset(object, size, record->type->context);
	below_destroy(record, object, size);
	count_tuple(record, -(int64_t)size);
	checked_free(object, function, ANY_SIZE);
	errno = saved_errno;
}
