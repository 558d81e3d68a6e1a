/* SPDX-License-Identifier: MIT */
#include "core.h"

#include "background.h"
#include "bin.h"
#include "check.h"
#include "checked.h"
#include "fast.h"
#include "heap.h"
#include "limit.h"
#include "options.h"
#include "profile.h"
#include "relief.h"
#include "remote.h"
#include "run.h"
#include "thread.h"

#include <errno.h>
#include <string.h>

/* ---- What a pointer is --------------------------------------------------------------------------------------------- */

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

/* ---- Sizes ---------------------------------------------------------------------------------------------------------- */

size_t core_usable(const void *block, const char *function)
{
	page_tag tag = core_tag(block);
	if (likely(tag != TAG_FOREIGN && tag >> TAG_OWNER_SHIFT != 0))
		return size_classes[(tag & TAG_CODE_MASK) / 2].size;
	if (tag == TAG_RUN && (uintptr_t)block % PAGE_SIZE == 0)
		return run_usable(block);
	misuse(function, block, core_fault(block));
	return 0;
}

void core_count_quarantined(const void *block, int64_t sign)
{
	struct heap *heap = thread_attach();
	if (heap == NULL)
		return;
	owner_add(heap->quarantined_bytes, sign * (int64_t)core_usable(block, "free"));
	owner_add(heap->quarantined_blocks, sign);
}

size_t core_public_usable(const void *block, const char *function)
{
	thread_glance();
	if (block == NULL)
		return 0;
	return unlikely(options()->check) ? checked_usable(block, function) : core_usable(block, function);
}

size_t core_good_size(size_t size)
{
	if (size > PTRDIFF_MAX)
		return 0;
	return size <= MEDIUM_MAX ? size_classes[class_of_size(size)].size : round_up(size, PAGE_SIZE);
}

/* ---- Blocks of a class ---------------------------------------------------------------------------------------------- */

/* The bin is looked at first: calls come here while the heap is hidden, and after others may have filled it. A spare heap is what a fork
 * left the thread with. Busy: someone is in the heap, at most for as long as it takes to claim or drain it, and the thread goes on
 * with a spare, once. */
void *core_allocate_of_class(unsigned class, bool *without_heap)
{
	struct heap *heap = thread_attach();
	*without_heap = false;
	while (heap != NULL) {
		void *block = bin_pop(heap, &heap->bins[class]);
		if (block != NULL)
			return block;
		if (unlikely(heap->spare))
			heap = thread_go_home();
		int result = heap_allocate(heap, class, &block);
		if (result != -EBUSY) {
			thread_divert_next();
			return block;
		}
		heap = thread_switch_heap();
	}
	*without_heap = true;
	return NULL;
}

/* Where address space is short there are few heaps. Whoever finds none has each block as a run. */
void *core_allocate_class(unsigned class)
{
	bool without_heap;
	void *block = core_allocate_of_class(class, &without_heap);
	return likely(!without_heap) ? block : run_allocate(size_classes[class].size, 1, false);
}

/* ---- Aligned allocation --------------------------------------------------------------------------------------------- */

/* A pool begins at a page's start: the blocks of a class whose size is a multiple of the alignment are aligned. The 8-byte
 * class, whose first block is at 64, serves alignments up to 8. Returns 0 when no class does. */
unsigned core_aligned_class(size_t size, size_t alignment)
{
	if (size > MEDIUM_MAX || alignment > PAGE_SIZE)
		return 0;
	unsigned class = class_of_size(size_max(size, alignment));
	while (class < CLASS_COUNT && size_classes[class].size % alignment != 0)
		class++;
	return class < CLASS_COUNT ? class : 0;
}

void *core_allocate(size_t size, size_t alignment, bool zero)
{
	if (size > PTRDIFF_MAX - alignment)
		return NULL;
	unsigned class = core_aligned_class(size, alignment);
	if (class == 0)
		return run_allocate(size_max(size, 1), alignment, zero);
	void *block = core_allocate_class(class);
	if (zero && block != NULL)
		memset(block, 0, size);
	return block;
}

/* As allocate (slow.c): for the call that returns to caller, or NULL. */
static void *allocate_aligned(size_t alignment, size_t size, const void *caller)
{
	void *block;
	if (unlikely(options()->check))
		return checked_allocate(size, alignment, false);
	struct relief relief = { .size = size, .alignment = alignment };
	block = profile_is_on() && caller != NULL && size <= PTRDIFF_MAX ? profile_allocate(size, alignment, false, caller) : NULL;
	if (likely(block == NULL))
		do {
			block = core_allocate(size, alignment, false);
		} while (unlikely(block == NULL) && relief_gave(&relief));
	limit_after_allocation();
	thread_detach_if_leaving();
	if (unlikely(block == NULL))
		errno = ENOMEM;
	return block;
}

STRATA_NOINLINE static void *aligned_slow(size_t alignment, size_t size)
{
	background_consider(__builtin_return_address(0));
	return allocate_aligned(alignment, size, __builtin_return_address(0));
}

void *core_aligned_of_class(size_t alignment, size_t size)
{
	background_consider(__builtin_return_address(0));
	return allocate_aligned(alignment, size, NULL);
}

/* There is a class for every 8 bytes up to 512: that of the size rounded up to the alignment is aligned. Above, all are multiples of
 * 64. */
STRATA_FAST void *take_aligned(size_t alignment, size_t size)
{
	size_t bytes = round_up(size, size_max(alignment, 8));
	void *block = NULL;
	if (likely(size <= OBJECT_MAX && bytes <= OBJECT_MAX))
		block = bin_pop(thread_fast.heap, bin_of_object(thread_fast.heap, bytes));
	else if (size > OBJECT_MAX && size <= LOOKED_UP_MAX && alignment <= 64)
		block = bin_pop(thread_fast.heap, bin_at(thread_fast.heap, code_aligned16[size]));
	return block;
}

void *core_aligned(size_t alignment, size_t size)
{
	void *block = take_aligned(alignment, size);
	return likely(block != NULL) ? block : aligned_slow(alignment, size);
}

void *core_aligned_for(size_t alignment, size_t size, const void *caller)
{
	void *block = take_aligned(alignment, size);
	if (likely(block != NULL))
		return block;
	background_consider(caller);
	return allocate_aligned(alignment, size, caller);
}

/* ---- Freeing -------------------------------------------------------------------------------------------------------- */

/* Whether another heap's block may go into the own bin, to serve here next. A small one (an object) never does: two threads would write to
 * a line of it ever after. Larger ones do until half of the bin is full, the rest being for those that the thread frees of its own: a bin
 * grows only where its blocks are wanted, and one that is never allocated from holds half a page's worth, until it is found idle. Not those
 * of an owner that sleeps, where the thread's own pools have blocks to give: they would go round here for ever, and keep the sleeper's
 * pools, which nobody can take from. The gate is looked at last: claim.c. */
static bool serves_here(const struct heap *heap, unsigned class, uint32_t owner)
{
	const struct bin *bin = &heap->bins[class];
	if (owner == remote_sleeper && others_read(heap->pools[class].first) != NO_PAGE)
		return false;
	return class > OBJECT_CLASSES && bin->credit > others_read(bin->limit) / 2 && racy_read(heap->tag) != TAG_CLOSED;
}

static void free_of_another(struct heap *heap, void *block, page_tag tag)
{
	unsigned code = tag & TAG_CODE_MASK;
	if (unlikely(racy_read(heap->tag) == TAG_CLOSED))
		heap_wake(heap);
	if (serves_here(heap, code / 2, tag >> TAG_OWNER_SHIFT))
		fast_push(heap, block, code);
	else
		remote_free(heap, block, tag);
}

/* A thread that is leaving has no bins to put the block into: it takes the owner's way home. */
static void free_pooled(void *block, page_tag tag)
{
	struct heap *heap = thread_self.leaving ? NULL : thread_attach();
	if (heap == NULL) {
		remote_free_directly(block, tag);
	} else if (tag >> TAG_OWNER_SHIFT == heap->number) {
		core_free_own(heap, block, (tag & TAG_CODE_MASK) / 2);
	} else if (unlikely(options()->check)) {
		remote_free_directly(block, tag); /* the words of a carrier would lie over its trailer, which says whether it is free */
	} else {
		free_of_another(heap, block, tag);
	}
}

/* Someone is in the thread's heap: the block goes the way of another's. */
static void free_to_busy(void *block, page_tag tag)
{
	thread_switch_heap();
	remote_free_directly(block, tag);
}

void core_free_own(struct heap *heap, void *block, unsigned class)
{
	if (unlikely(bin_newest(&heap->bins[class]) == block))
		misuse_twice(block);
	else if (unlikely(heap_free(heap, class, block) != 0))
		free_to_busy(block, heap_tag(heap) | class * 2);
	else
		thread_divert_next();
}

void core_free(void *block, const char *function)
{
	page_tag tag = core_tag(block);
	if (likely(tag >> TAG_OWNER_SHIFT != 0 && tag != TAG_FOREIGN))
		free_pooled(block, tag);
	else if (unlikely(tag != TAG_RUN || !run_free(block)))
		misuse(function, block, core_fault(block));
	limit_after_free();
}
