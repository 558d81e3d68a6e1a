/* SPDX-License-Identifier: MIT */
/*
 * How many runs are in use, and their bytes. A thread counts in its heap; one without a heap where all of those do.
 */
#ifndef STRATA_RUN_COUNT_H
#define STRATA_RUN_COUNT_H

#include "thread.h"

/* By a thread without a heap. */
void run_count_elsewhere(int64_t bytes, int64_t blocks);

/* So many more are the program's, or fewer. */
STRATA_FAST void run_count_add(int64_t pages, int64_t blocks)
{
	struct heap *heap = thread_self.own;
	int64_t bytes = pages * (int64_t)PAGE_SIZE;
	if (unlikely(heap == NULL)) {
		run_count_elsewhere(bytes, blocks);
		return;
	}
	owner_add(heap->run_bytes, bytes);
	owner_add(heap->run_blocks, blocks);
}

struct run_counters {
	uint64_t bytes;
	uint64_t blocks;
};
/* The sums over all heaps, without stopping anyone. */
struct run_counters run_count(void);

#endif
