/* SPDX-License-Identifier: MIT */
#include "trim.h"

#include "arena.h"
#include "heap.h"
#include "region.h"
#include "thread.h"

size_t trim_all(void)
{
	if (atomic_load_explicit(&region.span, memory_order_acquire) == 0)
		return 0;
	if (thread_self.own != NULL && heap_empty(thread_self.own) != 0)
		thread_switch_heap();
	heap_empty_dead();
	return arena_purge(SIZE_MAX, 0);
}
