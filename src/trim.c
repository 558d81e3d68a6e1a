/* SPDX-License-Identifier: MIT */
#include "trim.h"

#include "arena_count.h"
#include "arena_purge.h"
#include "heap.h"
#include "reclaim.h"
#include "region.h"
#include "run.h"
#include "thread.h"

static void empty_own(void)
{
	if (thread_self.own != NULL && heap_empty(thread_self.own) != 0)
		thread_switch_heap();
}

size_t trim_all(enum typed_callbacks callbacks)
{
	if (__atomic_load_n(&region_span, __ATOMIC_ACQUIRE) == 0)
		return 0;
	uint64_t before = arena_count().purged_bytes;
	typed_trim(callbacks);
	empty_own();
	reclaim_all();
	/* What sleepers had of the own heap's came back by its inbox. */
	empty_own();
	heap_empty_dead();
	run_expire(0);
	arena_purge(SIZE_MAX, 0);
	return (size_t)(arena_count().purged_bytes - before);
}
