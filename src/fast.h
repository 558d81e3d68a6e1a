/* SPDX-License-Identifier: MIT */
/*
 * The two hot functions, nothing else. At most 15 and 20 instructions to the common return on x86-64, no atomic
 * read-modify-write; tests/fastpath counts them.
 *
 * The calling thread's heap is reached through one TLS pointer that is never NULL: before the first call it points to the
 * empty heap, whose bins are empty and whose tag is no page's, so that there is no test for initialisation.
 */
#ifndef STRATA_FAST_H
#define STRATA_FAST_H

#include "layout.h"
#include "slow.h"
#include "thread.h"

STRATA_FAST struct bin *bin_at(struct heap *heap, size_t code)
{
	return (struct bin *)((char *)heap->bins + code * (sizeof(struct bin) / 2));
}

/* A block of the class with this code (class * 2): the top of the bin. */
STRATA_FAST void *fast_allocate(size_t size, size_t code, void *(*slow)(size_t))
{
	struct bin *bin = bin_at(thread_heap, code);
	void *block = bin->head;
	if (unlikely(block == NULL))
		return slow(size);
	owner_set(bin->head, *(void **)block);
	owner_add(bin->credit, 1);
	return block;
}

/*
 * One comparison tells that the page is in the region, one load and one comparison that it is of a pool of this heap, and of
 * which class. What the caller says of the size is only looked at by check:1. Links are raw: encoding them would take the instruction that finds a block freed twice in a row.
 */
STRATA_FAST void fast_free_sized(void *block, size_t size)
{
	struct heap *heap = thread_heap;
	size_t offset = (uintptr_t)block - region_base;
	if (unlikely(offset >= racy_read(region_span))) {
		free_other(block, size);
		return;
	}
	size_t code = racy_read(((page_tag *)region_tags)[offset >> PAGE_SHIFT]) ^ heap->tag;
	if (unlikely(code > TAG_CODE_MASK)) {
		free_other(block, size);
		return;
	}
	void *head = bin_at(heap, code)->head;
	if (unlikely(head == block)) {
		free_twice(block);
		return;
	}
	*(void **)block = head;
	forget(code);
	owner_set(bin_at(heap, code)->head, block);
	forget(code);
	if (unlikely(owner_decrement_is_negative(bin_at(heap, code)->credit)))
		free_overflow(block, code);
}

STRATA_FAST void fast_free(void *block)
{
	fast_free_sized(block, ANY_SIZE);
}

#endif
