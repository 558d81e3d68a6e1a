/* SPDX-License-Identifier: MIT */
/*
 * The hot functions: take, push, and what they are made of. At most 15 and 20 instructions to the common return on x86-64, no atomic
 * read-modify-write; tests/fastpath counts them.
 *
 * The calling thread's heap is reached through one TLS pointer that is never NULL: before the first call it points to the
 * empty heap, whose bins are empty and whose tag is no page's, so that there is no test for initialisation.
 */
#ifndef STRATA_FAST_H
#define STRATA_FAST_H

#include "bin.h"
#include "slow.h"
#include "thread.h"

/* The top of a bin. As bin_pop, but for the addresses, which are formed in each instruction. */
STRATA_FAST void *fast_take(size_t size, size_t unit, size_t index, void *(*slow)(size_t))
{
	struct heap *heap = thread_fast.heap;
	void **top = racy_read(bin_by(unit, heap, index)->top);
	void **below = top - 1;
	forget(index);
	owner_publish(bin_by(unit, heap, index)->top, below);
	compiler_fence();
	void *block = racy_read(*top);
	if (likely(slot_is_block(block))) {
		compiler_fence();
		forget(index);
		owner_add(bin_by(unit, heap, index)->credit, 1);
		return block;
	}
	forget(index);
	bin_undo_pop(heap, bin_by(unit, heap, index), top);
	return slow(size);
}

STRATA_FAST void *fast_allocate(size_t size, size_t code, void *(*slow)(size_t))
{
	return fast_take(size, BY_CODE, code, slow);
}

STRATA_FAST void *fast_allocate_object(size_t size, size_t bytes, void *(*slow)(size_t))
{
	return fast_take(size, BY_BYTES, bytes, slow);
}

/*
 * The class, as its code, of a block that lies in a pool of this heap; above TAG_CODE_MASK for other places in the region.
 * False: it is not in the region. One comparison tells that, one load and one comparison of the caller's the rest.
 */
STRATA_FAST bool fast_code(const struct heap *heap, const void *block, size_t *code)
{
	size_t offset = (uintptr_t)block - region_base;
	if (unlikely(offset >= racy_read(region_span)))
		return false;
	*code = racy_read(((page_tag *)region_tags)[offset >> PAGE_SHIFT]) ^ racy_read(heap->tag);
	return true;
}

/* Puts it on the top of its bin. The order of the three stores is bin.h's. */
STRATA_FAST void fast_push(struct heap *heap, void *block, size_t code)
{
	if (unlikely(owner_decrement_is_negative(bin_at(heap, code)->credit))) {
		free_overflow(block, code);
		return;
	}
	forget(code);
	void **top = racy_read(bin_at(heap, code)->top);
	if (unlikely(racy_read(*top) == block)) {
		free_twice(block, code);
		return;
	}
	owner_set(top[1], block);
	compiler_fence();
	forget(code);
	owner_move(bin_at(heap, code)->top, 1);
}

/* What the caller says of the size is only looked at by check:1. */
STRATA_FAST void fast_free_sized(void *block, size_t size)
{
	struct heap *heap = thread_fast.heap;
	size_t code;
	if (unlikely(!fast_code(heap, block, &code) || code > TAG_CODE_MASK)) {
		free_other(block, size);
		return;
	}
	fast_push(heap, block, code);
}

STRATA_FAST void fast_free(void *block)
{
	fast_free_sized(block, ANY_SIZE);
}

#endif
