/* SPDX-License-Identifier: MIT */
#include "decay.h"

#include "arena_count.h"
#include "arena_purge.h"
#include "cgroup.h"
#include "options.h"
#include "os.h"
#include "pressure.h"
#include "reclaim.h"
#include "retain.h"
#include "run.h"

#define TICK_MS 8

/* When the last step was made. Whoever moves it on makes the next one; the others go on with what they were doing. */
static STRATA_READ_MOSTLY _Atomic uint64_t last_tick;

uint32_t decay_now(void)
{
	return (uint32_t)atomic_load_explicit(&last_tick, memory_order_relaxed);
}

bool decay_is_due(void)
{
	return has_passed(os_clock_ms(), atomic_load_explicit(&last_tick, memory_order_relaxed), TICK_MS);
}

/* A process with so little cannot help its container: no file is opened for it, but to see that what it saw before is past. */
#define SMALL_PAGES ((size_t)8 << 20 >> PAGE_SHIFT)

static void look_around(void)
{
	struct arena_counters counters = arena_count();
	if (counters.used_pages + counters.dirty_pages >= SMALL_PAGES || pressure_level() > 0)
		cgroup_look(os_clock_ms());
}

size_t decay_step(void)
{
	look_around();
	uint32_t idle_ms = (uint32_t)pressure_shrink(options()->decay_ms);
	run_expire(idle_ms);
	size_t taken = reclaim_idle(PURGE_STEP, idle_ms);
	if (taken >= PURGE_STEP)
		return taken;
	/* Whatever the total of dirty pages says: heaps may know of more (struct page_account). */
	return taken + arena_purge(PURGE_STEP - taken, idle_ms);
}

/* Free pages are too many when the use falls, and then runs may be. */
void decay_bound(void)
{
	if (unlikely(retain_bound()))
		run_give_up_surplus();
}

size_t decay_tick(void)
{
	decay_bound();
	uint64_t now = os_clock_ms();
	uint64_t last = atomic_load_explicit(&last_tick, memory_order_relaxed);
	if (!has_passed(now, last, TICK_MS))
		return 0;
	if (!atomic_compare_exchange_strong_explicit(&last_tick, &last, now, memory_order_relaxed, memory_order_relaxed))
		return 0;
	retain_narrow(now);
	size_t done = decay_step();
	return done < PURGE_STEP ? PURGE_STEP - done : 0;
}
