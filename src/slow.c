/* SPDX-License-Identifier: MIT */
#include "slow.h"

#include "background.h"
#include "bin.h"
#include "check.h"
#include "checked.h"
#include "core.h"
#include "fast.h"
#include "heap.h"
#include "limit.h"
#include "options.h"
#include "profile.h"
#include "remote.h"
#include "run.h"
#include "thread.h"

#include <errno.h>

static void *out_of_memory(void)
{
	thread_settle();
	if (!thread_self.trial)
		errno = ENOMEM;
	return NULL;
}

/* ---- Allocation ----------------------------------------------------------------------------------------------------- */

/* A block of the class, or NULL; without: because there is no heap to take one from, which says nothing of memory. */
static void *allocate_class(unsigned class, bool *without)
{
	struct heap *heap = thread_attach();
	while (heap != NULL) {
		void *block = bin_pop(heap, &heap->bins[class]);
		if (block != NULL)
			return block;
		if (unlikely(heap->spare))
			heap = thread_go_home();
		int result = heap_allocate(heap, class, &block);
		if (result != -EBUSY) {
			thread_watch();
			return block;
		}
		heap = thread_switch_heap();
	}
	*without = true;
	return NULL;
}

/* Where address space is short there are few heaps. Who finds none has each block as a run. */
void *core_allocate_class(unsigned class)
{
	bool without = false;
	void *block = allocate_class(class, &without);
	return likely(!without) ? block : run_allocate(size_classes[class].size, 1, false);
}

/* Zeroed blocks that come here are large enough to be runs. */
static void *take(size_t size, unsigned class, bool zero, bool of_class)
{
	bool without;
	if (zero || size > MEDIUM_MAX)
		return run_allocate(size, 1, zero);
	return of_class ? allocate_class(class, &without) : core_allocate_class(class);
}

/* For the call that returns to caller; NULL: for a tier that expects blocks of the class, which are not sampled. */
static void *allocate(size_t size, unsigned class, bool zero, const void *caller)
{
	if (unlikely(options()->check))
		return checked_allocate(size, 1, zero);
	if (size > PTRDIFF_MAX)
		return out_of_memory();
	struct relief relief = { .size = size };
	void *block = profile_is_on() && caller != NULL ? profile_allocate(size, 1, zero, caller) : NULL;
	while (block == NULL) {
		block = take(size, class, zero, caller == NULL);
		if (unlikely(block == NULL) && !relief_gave(&relief))
			return out_of_memory();
	}
	limit_settle();
	thread_settle();
	return block;
}

static unsigned class_for(size_t size)
{
	return size > MEDIUM_MAX ? 0 : class_of_size(size);
}

/* The two are reached by jumps: they return to who called malloc. */
void *allocate_slow(size_t size)
{
	const void *caller = __builtin_return_address(0);
	background_consider(caller);
	return allocate(size, class_for(size), false, caller);
}

void *allocate_slow_aligned16(size_t size)
{
	return allocate_slow_aligned16_for(size, __builtin_return_address(0));
}

void *allocate_slow_aligned16_for(size_t size, const void *caller)
{
	background_consider(caller);
	return allocate(size, size <= LOOKED_UP_MAX ? code_aligned16[size] / 2 : class_for(size), false, caller);
}

void *allocate_slow_of_class(size_t size)
{
	background_consider(__builtin_return_address(0));
	return allocate(size, class_for(size), false, NULL);
}

void *allocate_zeroed_slow(size_t size)
{
	const void *caller = __builtin_return_address(0);
	background_consider(caller);
	return allocate(size, 0, true, caller);
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

/* Whether a block of another's serves here next. One of a few lines never does: two threads would write to a line of it ever
 * after. Larger ones do until half of the bin is full, the rest being for those that the thread frees of its own: a bin grows only
 * where its blocks are wanted, and one that is never allocated from holds half a page's worth, until it is found idle. Not those of an
 * owner that sleeps, where the thread's own pools have blocks to give: they would go round here for ever, and keep the sleeper's pools,
 * which nobody can take from. The gate is looked at last: claim.c. */
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
		remote_free_directly(block, tag); /* a carrier's trailer would be overwritten, which says that it is free */
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
		thread_watch();
	limit_settle_freed();
}

void core_free(void *block, const char *function)
{
	page_tag tag = core_tag(block);
	if (likely(tag >> TAG_OWNER_SHIFT != 0 && tag != TAG_FOREIGN))
		free_pooled(block, tag);
	else if (likely(tag == TAG_RUN && run_free(block)))
		limit_settle_freed();
	else
		misuse(function, block, core_fault(block));
}

/* As fast_free does it, had the heap not been hidden. */
static bool free_watched(void *block)
{
	size_t code;
	thread_look();
	limit_settle_freed();
	if (!fast_code(thread_self.own, block, &code) || code > TAG_CODE_MASK)
		return false;
	fast_push(thread_self.own, block, code);
	return true;
}

void free_other(void *block, size_t size)
{
	page_tag tag = core_tag(block);
	if (tag != TAG_FOREIGN && remote_free_carried(thread_fast.heap, block, tag))
		return;
	if (block == NULL)
		return;
	if (unlikely(thread_self.watching) && free_watched(block))
		return;
	if (unlikely(options()->check))
		checked_free(block, size == ANY_SIZE ? "free" : "free_sized", size);
	else
		core_free(block, "free");
}

void free_twice(void *block, size_t code)
{
	owner_add(bin_at(thread_self.own, code)->credit, 1);
	misuse_twice(block);
}

void free_overflow(void *block, size_t code)
{
	owner_add(bin_at(thread_self.own, code)->credit, 1);
	core_free_own(thread_self.own, block, (unsigned)code / 2);
}
