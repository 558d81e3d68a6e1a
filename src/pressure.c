/* SPDX-License-Identifier: MIT */
#include "pressure.h"

#include "arena_count.h"
#include "cgroup.h"
#include "options.h"

/* From three quarters of a limit on the pressure grows, to its most one sixteenth before it. */
static unsigned level_below(size_t used, size_t limit)
{
	size_t from = limit / 4 * 3;
	size_t to = limit / 16 * 15;
	if (used <= from)
		return 0;
	if (used >= to)
		return PRESSURE_MOST;
	return (unsigned)((used - from) * PRESSURE_MOST / (to - from));
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

static unsigned level_of_process(void)
{
	size_t limit = own_limit();
	if (likely(limit == 0))
		return 0;
	return level_below(arena_count_costly() * PAGE_SIZE, limit);
}

/* Tasks that wait for memory a tenth of the time are reason for all of it. */
#define STALL_MOST 1000u

static unsigned level_of_group(void)
{
	struct cgroup_use tightest = cgroup_tightest();
	unsigned by_limit = tightest.limit != SIZE_MAX ? level_below(tightest.used, tightest.limit) : 0;
	unsigned by_stall = (unsigned)size_min(cgroup_pressure(), STALL_MOST) * PRESSURE_MOST / STALL_MOST;
	return by_limit > by_stall ? by_limit : by_stall;
}

unsigned pressure_level(void)
{
	unsigned process = level_of_process();
	unsigned group = level_of_group();
	return process > group ? process : group;
}

size_t pressure_shrink(size_t amount)
{
	return amount - amount / (PRESSURE_MOST + 1) * pressure_level();
}

size_t pressure_limit(void)
{
	size_t own = own_limit();
	size_t of_group = cgroup_tightest().limit;
	return own != 0 ? size_min(own, of_group) : of_group;
}

size_t pressure_headroom(size_t used_bytes, size_t free_bytes)
{
	size_t room = SIZE_MAX;
	size_t own = own_limit();
	if (unlikely(own != 0))
		room = own > used_bytes ? own - used_bytes : 0;
	struct cgroup_use tightest = cgroup_tightest();
	/* What is free now counts as used there. */
	if (unlikely(tightest.limit != SIZE_MAX))
		room = size_min(room, cgroup_headroom(tightest) + free_bytes);
	return room;
}
