/* SPDX-License-Identifier: MIT */
#include "hunger.h"

#include "arena_count.h"
#include "cgroup.h"
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

/* The process's own: the lower one, where there are both. */
static size_t own_limit(void)
{
	size_t soft = options()->limit_soft_bytes;
	size_t hard = options()->limit_bytes;
	if (soft == 0 || hard == 0)
		return soft | hard;
	return size_min(soft, hard);
}

static unsigned hunger_of_process(void)
{
	size_t limit = own_limit();
	if (likely(limit == 0))
		return 0;
	struct arena_counters counters = arena_count();
	return hunger_below((counters.used_pages + counters.dirty_pages) * PAGE_SIZE, limit);
}

/* Tasks that wait for memory a tenth of the time are reason for all of it. */
#define PRESSURE_MOST 1000u

static unsigned hunger_of_group(void)
{
	struct cgroup_use tightest = cgroup_tightest();
	unsigned by_limit = tightest.limit != SIZE_MAX ? hunger_below(tightest.used, tightest.limit) : 0;
	unsigned by_pressure = (unsigned)size_min(cgroup_pressure(), PRESSURE_MOST) * HUNGER_MOST / PRESSURE_MOST;
	return by_limit > by_pressure ? by_limit : by_pressure;
}

unsigned hunger(void)
{
	unsigned process = hunger_of_process();
	unsigned group = hunger_of_group();
	return process > group ? process : group;
}

size_t hunger_shrink(size_t amount)
{
	return amount - amount / (HUNGER_MOST + 1) * hunger();
}

size_t hunger_limit(void)
{
	size_t own = own_limit();
	size_t of_group = cgroup_tightest().limit;
	return own != 0 ? size_min(own, of_group) : of_group;
}

size_t hunger_room(size_t used_bytes, size_t free_bytes)
{
	size_t room = SIZE_MAX;
	size_t own = own_limit();
	if (unlikely(own != 0))
		room = own > used_bytes ? own - used_bytes : 0;
	struct cgroup_use tightest = cgroup_tightest();
	/* What is free now counts as used there. */
	if (unlikely(tightest.limit != SIZE_MAX))
		room = size_min(room, cgroup_room(tightest) + free_bytes);
	return room;
}
