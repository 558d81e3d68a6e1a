/* SPDX-License-Identifier: MIT */
/* What the tests of the process's limits share. */
#ifndef STRATA_TESTS_UNIT_LIMIT_SUPPORT_H
#define STRATA_TESTS_UNIT_LIMIT_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <strata/strata.h>

#include "support.h"

#define ROOM (48 * MIB)

static inline void set(const char *name, uint64_t bytes)
{
	if (set_number(name, bytes) != 0)
		fatal("%s:%llu refused", name, (unsigned long long)bytes);
}

/* A limit with so much room above what is in use by now. */
static inline uint64_t limit_with_room(size_t room)
{
	uint64_t limit;

	strata_trim();
	limit = totals().heap_bytes + room;
	set("limit", limit);
	return limit;
}

static inline int no_limits(void **state)
{
	(void)state;
	strata_on_pressure(NULL);
	set("limit", 0);
	set("limit_soft", 0);
	set("emergency", 0);
	return 0;
}

/* A block and its size, filled with the pattern of its number. */
struct piece {
	void *block;
	size_t size;
};

static inline void verify_and_free(struct piece *piece, size_t count)
{
	for (size_t i = 0; i < count; i++, piece++) {
		if (!pattern_holds(piece->block, piece->size, i))
			fatal("contents of block %zu of %zu bytes changed", i, piece->size);
		free(piece->block);
		piece->block = NULL;
	}
}

#endif
