/* SPDX-License-Identifier: MIT */
#include "hunger.h"

#include "arena_count.h"
#include "options.h"

/* From three quarters of a limit on hunger grows, to its most one sixteenth before it. */
static unsigned hunger_below(size_t used, size_t limit)
{
	size_t from = limit / 4 * 3;
	size_t to = limit / 16 * 15;
	if (used <= from)
		return 0;
	if (used >= to)
		return HUNGER_MOST;
	return (unsigned)((used - from) * HUNGER_MOST / (to - from));
}

/* The process's own: the soft one, where there are both. */
static size_t own_limit(void)
{
	size_t soft = options()->limit_soft_bytes;
	size_t hard = options()->limit_bytes;
	if (soft == 0 || hard == 0)
		return soft | hard;
	return size_min(soft, hard);
}

unsigned hunger(void)
{
	size_t limit = own_limit();
	if (likely(limit == 0))
		return 0;
	struct arena_counters counters = arena_count();
	return hunger_below((counters.used_pages + counters.dirty_pages) * PAGE_SIZE, limit);
}

size_t hunger_shrink(size_t amount)
{
	return amount - amount / (HUNGER_MOST + 1) * hunger();
}

size_t hunger_room(size_t used_bytes)
{
	size_t limit = own_limit();
	if (likely(limit == 0))
		return SIZE_MAX;
	return limit > used_bytes ? limit - used_bytes : 0;
}
