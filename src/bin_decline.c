/* SPDX-License-Identifier: MIT */
#include "bin_decline.h"

#include "bin.h"
#include "bin_limit.h"
#include "pool.h"

static unsigned place_of(unsigned class)
{
	return class % DECLINE_SIGNS;
}

/* The class, and as much of the block's address as there is room for. */
static uint32_t sign_of(unsigned class, const void *block)
{
	return (uint32_t)class << 24 | (uint32_t)((uintptr_t)block >> 3 & 0xffffff);
}

/* A slot that was below the newest blocks is written to only after its block was taken. */
bool decline_saw_takes(const struct heap *heap, unsigned class, unsigned newest)
{
	uint32_t seen = heap->decline.newest[place_of(class)];
	const void *now = *(heap->bins[class].top - newest);
	return seen >> 24 == class && seen != sign_of(class, now);
}

/* The block's, after it came home: NULL if that is empty, and gone, or if it is another heap's. */
static const struct pool *pool_that_is_left(const struct heap *heap, unsigned class, const void *block)
{
	page_tag tag = atomic_load_explicit(&region_tags[page_of(block)], memory_order_relaxed);
	return tag == (heap_tag(heap) | class * 2) ? pool_of_block(block) : NULL;
}

/* As a sample of them tells. A pool that is gone is no reason to do anything. */
#define SAMPLE 8u

static bool are_thin(const struct heap *heap, unsigned class, void *const *blocks, unsigned count)
{
	unsigned home = 0;
	unsigned carved = 0;
	for (unsigned i = 0; i < count; i += count / SAMPLE + 1) {
		const struct pool *pool = pool_that_is_left(heap, class, blocks[i]);
		if (pool == NULL)
			continue;
		home += pool->home_count;
		carved += pool->carved;
	}
	return carved != 0 && 3 * home >= carved;
}

static void begin_counting(struct decline_signs *signs, unsigned at)
{
	signs->in_a_row[at] = 0;
	signs->frees[at] = 0;
	signs->takes[at] = 0;
	signs->full[at] = 0;
}

/* Of less there is little to gain. */
#define LEAST_BYTES ((size_t)128 << 10)

static bool has_much_out(const struct heap *heap, unsigned class)
{
	return (size_t)heap->out_blocks[class] * size_classes[class].size >= LEAST_BYTES;
}

bool decline_begins(struct heap *heap, unsigned class, unsigned newest, bool takes)
{
	const struct bin *bin = &heap->bins[class];
	unsigned at = place_of(class);
	heap->decline.newest[at] = 0;
	if (takes && bin_limit_may_close(class) && has_much_out(heap, class) && are_thin(heap, class, bin->top + 1, newest)) {
		begin_counting(&heap->decline, at);
		return true;
	}
	if (bin_newest(bin) != NULL)
		heap->decline.newest[at] = sign_of(class, bin_newest(bin));
	return false;
}

/* So many frees without a block taken between are no decline but an end. */
#define IN_A_ROW_MOST 32
/* Nor are as many takes as frees: when so many blocks were taken before as many were freed. */
#define COUNTED 128
/* And where so many come home to pools that are nearly full, less two for each that comes home to another, there is nothing to gain. */
#define FULL_MOST 16

static bool is_nearly_full(const struct heap *heap, unsigned class, const void *block)
{
	const struct pool *pool = pool_that_is_left(heap, class, block);
	return pool != NULL && 4 * pool->home_count < pool->carved;
}

static void count_free(struct decline_signs *signs, unsigned at)
{
	signs->in_a_row[at]++;
	if (++signs->frees[at] < COUNTED)
		return;
	signs->frees[at] = 0;
	signs->takes[at] = 0;
}

static bool found_full(struct decline_signs *signs, unsigned at, bool nearly_full)
{
	if (nearly_full)
		signs->full[at]++;
	else
		signs->full[at] -= signs->full[at] > 2 ? 2 : signs->full[at];
	return signs->full[at] >= FULL_MOST;
}

void decline_came_home(struct heap *heap, unsigned class, const void *block)
{
	struct decline_signs *signs = &heap->decline;
	unsigned at = place_of(class);
	count_free(signs, at);
	if (found_full(signs, at, is_nearly_full(heap, class, block)) || signs->in_a_row[at] >= IN_A_ROW_MOST)
		bin_limit_open(heap, class);
}

void *decline_take(struct heap *heap, unsigned class)
{
	unsigned at = place_of(class);
	heap->decline.in_a_row[at] = 0;
	void *block = ++heap->decline.takes[at] < COUNTED ? pool_take_back(heap, class) : NULL;
	if (block == NULL)
		bin_limit_open(heap, class);
	return block;
}
