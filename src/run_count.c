/* SPDX-License-Identifier: MIT */
#include "run_count.h"

#include "heap.h"

/* What threads without a heap allocated and freed. Added to by them, read by whoever sums up; relaxed: it orders nothing. */
static _Atomic int64_t other_bytes;
static _Atomic int64_t other_blocks;

void run_count_elsewhere(int64_t bytes, int64_t blocks)
{
	atomic_fetch_add_explicit(&other_bytes, bytes, memory_order_relaxed);
	atomic_fetch_add_explicit(&other_blocks, blocks, memory_order_relaxed);
}

struct run_counters run_count(void)
{
	int64_t bytes = atomic_load_explicit(&other_bytes, memory_order_relaxed);
	int64_t blocks = atomic_load_explicit(&other_blocks, memory_order_relaxed);
	for (uint32_t number = heap_count(); number > 0; number--) {
		bytes += others_read(heap_at(number)->run_bytes);
		blocks += others_read(heap_at(number)->run_blocks);
	}
	/* A run that moves between heaps during the sum can make it negative for a moment. */
	return (struct run_counters){
		.bytes = bytes > 0 ? (uint64_t)bytes : 0,
		.blocks = blocks > 0 ? (uint64_t)blocks : 0,
	};
}
