/* SPDX-License-Identifier: MIT */
/* What the tests of typed free lists share. Under check:1 nothing is cached: what follows from caching is left out there. */
#ifndef STRATA_TESTS_UNIT_TYPED_SUPPORT_H
#define STRATA_TESTS_UNIT_TYPED_SUPPORT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <strata/typed.h>

#include "support.h"

/* ---- Types ---------------------------------------------------------------------------------------------------------- */

static inline strata_type *registered(struct strata_type_info info)
{
	strata_type *type = strata_type_register(&info, sizeof info);

	assert_non_null(type);
	return type;
}

static inline strata_type *fixed(const char *name, size_t size)
{
	return registered((struct strata_type_info){.name = name, .size = size});
}

static inline struct strata_type_stats stats_of(const strata_type *type)
{
	struct strata_type_stats stats;

	assert_int_equal(strata_type_stats_read(type, &stats, sizeof stats), 0);
	return stats;
}

static inline void unregister(strata_type *type)
{
	size_t live = 99;

	assert_int_equal(stats_of(type).live_objects, 0);
	assert_int_equal(stats_of(type).live_bytes, 0);
	assert_int_equal(strata_type_unregister(type, &live), 0);
	assert_int_equal(live, 0);
}

/* ---- Objects of a fixed type ---------------------------------------------------------------------------------------- */

static void *objects[20000];

static inline void get(strata_type *type, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		objects[i] = strata_type_alloc(type);
		assert_non_null(objects[i]);
	}
}

static inline void put(strata_type *type, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		strata_type_free(type, objects[i]);
}

/* ---- A type with callbacks, which count ----------------------------------------------------------------------------- */

struct counted {
	uint64_t mark;
	uint64_t uses;
	char room[48];
};

static struct {
	size_t constructed, reset, destroyed;
	int fail_with;
} calls;

static inline int construct(void *object, size_t size, void *context)
{
	struct counted *counted = object;

	assert_int_equal(size, sizeof *counted);
	assert_ptr_equal(context, &calls);
	if (calls.fail_with)
		return calls.fail_with;
	calls.constructed++;
	counted->mark = 0x6d61726b;
	counted->uses = 0;
	return 0;
}

static inline void reset(void *object, size_t size, void *context)
{
	struct counted *counted = object;

	(void)context;
	assert_int_equal(size, sizeof *counted);
	assert_int_equal(counted->mark, 0x6d61726b);
	counted->uses++;
	calls.reset++;
	errno = EDOM;
}

static inline void destroy(void *object, size_t size, void *context)
{
	struct counted *counted = object;

	(void)context;
	assert_int_equal(size, sizeof *counted);
	assert_int_equal(counted->mark, 0x6d61726b);
	counted->mark = 0;
	calls.destroyed++;
}

static inline strata_type *with_callbacks(bool with_reset)
{
	struct strata_type_info info = {
	    .name = "counted",
	    .size = sizeof(struct counted),
	    .construct = construct,
	    .reset = with_reset ? reset : NULL,
	    .destroy = destroy,
	    .context = &calls,
	};
	strata_type *type = strata_type_register(&info, sizeof info);

	assert_non_null(type);
	memset(&calls, 0, sizeof calls);
	return type;
}

/* ---- When lists are idle -------------------------------------------------------------------------------------------- */

static inline int nothing_is_idle(void **state)
{
	(void)state;
	set_decay(STOPPED);
	return 0;
}

#endif
