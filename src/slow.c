/* SPDX-License-Identifier: MIT */
#include "slow.h"

#include "check.h"
#include "checked.h"
#include "core.h"
#include "heap.h"
#include "limit.h"
#include "options.h"
#include "remote.h"
#include "run.h"
#include "thread.h"

#include <errno.h>

static void *out_of_memory(void)
{
	thread_settle();
	errno = ENOMEM;
	return NULL;
}

/* ---- Allocation ----------------------------------------------------------------------------------------------------- */

static void *pop(struct bin *bin)
{
	void *block = bin->head;
	owner_set(bin->head, *(void **)block);
	owner_add(bin->credit, 1);
	return block;
}

void *core_allocate_class(unsigned class)
{
	struct heap *heap = thread_attach();
	while (heap != NULL) {
		struct bin *bin = &heap->bins[class];
		int result = bin->head != NULL ? 0 : heap_refill(heap, class);
		if (likely(result == 0))
			return pop(bin);
		if (result != -EBUSY)
			break;
		heap = thread_switch_heap();
	}
	return NULL;
}

static void *allocate(size_t size, unsigned class)
{
	if (unlikely(options()->check))
		return checked_allocate(size, 1, false);
	if (size > PTRDIFF_MAX)
		return out_of_memory();
	struct relief relief = { .size = size };
	void *block;
	do {
		block = size > MEDIUM_MAX ? run_allocate(size, 1, false) : core_allocate_class(class);
	} while (unlikely(block == NULL) && relief_gave(&relief));
	if (unlikely(block == NULL))
		return out_of_memory();
	limit_settle();
	thread_settle();
	return block;
}

void *allocate_slow(size_t size)
{
	return allocate(size, size > MEDIUM_MAX ? 0 : class_of_size(size));
}

void *allocate_slow_aligned16(size_t size)
{
	if (size <= OBJECT_MAX)
		return allocate(size, object_code_aligned16[size] / 2);
	return allocate_slow(size);
}

void *allocate_zeroed_slow(size_t size)
{
	if (unlikely(options()->check))
		return checked_allocate(size, 1, true);
	if (size > PTRDIFF_MAX)
		return out_of_memory();
	struct relief relief = { .size = size };
	void *block;
	do {
		block = run_allocate(size, 1, true);
	} while (unlikely(block == NULL) && relief_gave(&relief));
	if (unlikely(block == NULL))
		return out_of_memory();
	limit_settle();
	return block;
}

/* ---- Freeing -------------------------------------------------------------------------------------------------------- */

page_tag core_tag(const void *block)
{
	size_t offset = (uintptr_t)block - region_base;
	if (offset >= others_read(region_span))
		return TAG_FOREIGN;
	return atomic_load_explicit(&region_tags[offset >> PAGE_SHIFT], memory_order_relaxed);
}

/* Only the first page of a run has a tag. Looks backwards for it; for diagnosis. */
static bool is_inside_run(const void *block)
{
	page_index page = page_of(block);
	page_index first = page;
	page_tag tag;
	do {
		tag = atomic_load_explicit(&region_tags[first], memory_order_relaxed);
	} while (tag == 0 && first-- > 0);
	return tag == TAG_RUN && page - first < region.pools[first].run.pages;
}

const char *core_fault(const void *block)
{
	page_tag tag = core_tag(block);
	if (tag == TAG_FOREIGN)
		return "not a block of strata";
	if (is_inside_run(block))
		return "inside a block, not its start";
	return "page not in use (freed twice, or never a block)";
}

/* A thread that is leaving has no bins to put the block into: it takes the owner's way home. */
static void free_pooled(void *block, page_tag tag)
{
	struct heap *heap = thread_self.leaving ? NULL : thread_attach();
	if (heap == NULL)
		remote_free_directly(block, tag);
	else if (tag >> TAG_OWNER_SHIFT != heap->number)
		remote_free(heap, block, tag);
	else
		core_free_own(heap, block, (tag & TAG_CODE_MASK) / 2);
}

void core_free_own(struct heap *heap, void *block, unsigned class)
{
	struct bin *bin = &heap->bins[class];
	if (bin->head == block) {
		free_twice(block);
		return;
	}
	*(void **)block = bin->head;
	owner_set(bin->head, block);
	owner_add(bin->credit, -1);
	if (bin->credit < 0)
		free_overflow(block, class * 2);
}

void core_free(void *block, const char *function)
{
	page_tag tag = core_tag(block);
	if (likely(tag >> TAG_OWNER_SHIFT != 0 && tag != TAG_FOREIGN))
		free_pooled(block, tag);
	else if (tag != TAG_RUN || !run_free(block))
		misuse(function, block, core_fault(block));
}

void free_other(void *block, size_t size)
{
	if (block == NULL)
		return;
	if (unlikely(options()->check))
		checked_free(block, size == ANY_SIZE ? "free" : "free_sized", size);
	else
		core_free(block, "free");
}

void free_twice(void *block)
{
	misuse("free", block, "block freed twice");
}

void free_overflow(void *block, size_t code)
{
	(void)block;
	struct heap *heap = thread_self.own;
	if (unlikely(heap_overflow(heap, (unsigned)code / 2) != 0))
		thread_switch_heap();
}
