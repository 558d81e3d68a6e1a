/* SPDX-License-Identifier: MIT */
#include "core.h"

#include "background.h"
#include "check.h"
#include "checked.h"
#include "fast.h"
#include "limit.h"
#include "options.h"
#include "profile.h"
#include "run.h"

#include <errno.h>
#include <string.h>

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

size_t core_public_usable(const void *block, const char *function)
{
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
	block = profile_is_on() && caller != NULL ? profile_allocate(size, alignment, false, caller) : NULL;
	if (likely(block == NULL))
		do {
			block = core_allocate(size, alignment, false);
		} while (unlikely(block == NULL) && relief_gave(&relief));
	limit_settle();
	thread_settle();
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
void *core_aligned(size_t alignment, size_t size)
{
	size_t bytes = round_up(size, size_max(alignment, 8));
	void *block = NULL;
	if (likely(size <= OBJECT_MAX && bytes <= OBJECT_MAX))
		block = bin_pop(thread_fast.heap, bin_of_object(thread_fast.heap, bytes));
	else if (size > OBJECT_MAX && size <= LOOKED_UP_MAX && alignment <= 64)
		block = bin_pop(thread_fast.heap, bin_at(thread_fast.heap, code_aligned16[size]));
	return likely(block != NULL) ? block : aligned_slow(alignment, size);
}

/* ---- Resizing ------------------------------------------------------------------------------------------------------- */

/* Small blocks are copied at the price of the call. */
#define GROW_FROM 512u

/* A block that shrinks stays where it is unless half of it would be wasted. */
static bool fits(size_t size, size_t usable)
{
	return size <= usable && (size > usable / 2 || usable <= 64);
}

/* A block that grows by a little is likely to grow again: with a quarter more there are half as many copies on the way, at
 * no more waste than a program that doubles. */
size_t core_grown_size(size_t size, size_t usable)
{
	size_t ample = usable + usable / 4;
	return size > usable && size < ample && ample <= MEDIUM_MAX && usable >= GROW_FROM ? ample : size;
}

/* For whom a refusal is no failure: nobody is told, and no reserve is spent. */
static void *try_to_allocate(size_t size, void *(*allocate)(size_t))
{
	thread_self.trial = true;
	void *block = allocate(size);
	thread_self.trial = false;
	return block;
}

/* Where even the quarter more cannot be had, what was asked for may be; and one that cannot shrink stays as it is. */
static void *copy_to_new(void *block, size_t size, size_t usable, void *(*allocate)(size_t))
{
	size_t ample = core_grown_size(size, usable);
	void *to = ample != size || size < usable ? try_to_allocate(ample, allocate) : NULL;
	if (unlikely(to == NULL)) {
		if (size < usable)
			return block;
		to = allocate(size);
		if (to == NULL)
			return NULL;
	}
	memcpy(to, block, size_min(size, usable));
	fast_free(block);
	return to;
}

static void *resize_run(void *block, size_t size, void *(*allocate)(size_t))
{
	if (size > CLEARED_MAX) {
		struct relief relief = { .size = size };
		void *resized;
		do {
			resized = run_resize(block, size) ? block : run_move(block, size);
		} while (unlikely(resized == NULL) && relief_gave(&relief));
		limit_settle();
		if (resized == NULL)
			errno = ENOMEM;
		return resized;
	}
	void *to = copy_to_new(block, size, run_usable(block), allocate);
	if (unlikely(to == block))
		run_resize(block, size);
	return to;
}

static void *resize(void *block, size_t size, size_t usable, void *(*allocate)(size_t))
{
	if (fits(size, usable) && usable <= CLEARED_MAX)
		return block;
	if (unlikely(core_tag(block) == TAG_RUN))
		return resize_run(block, size, allocate);
	return fits(size, usable) ? block : copy_to_new(block, size, usable, allocate);
}

static void *resize_profiled(void *block, size_t size, size_t usable, void *(*allocate)(size_t), const void *caller)
{
	void *moved = profile_reallocate(block, size, caller);
	if (moved != NULL)
		return moved;
	moved = resize(block, size, usable, allocate);
	profile_resume();
	return moved;
}

STRATA_NOINLINE static void *reallocate_slow(void *block, size_t size, void *(*allocate)(size_t))
{
	const void *caller = __builtin_return_address(0);
	background_consider(caller);
	if (block == NULL)
		return allocate(size);
	if (unlikely(options()->check))
		return checked_reallocate(block, size);
	if (size == 0) {
		fast_free(block);
		return NULL;
	}
	if (unlikely(size > PTRDIFF_MAX)) {
		errno = ENOMEM;
		return NULL;
	}
	size_t usable = core_usable(block, "realloc");
	if (unlikely(usable == 0))
		return NULL;
	if (profile_is_on() || (core_tag(block) == TAG_RUN && unlikely(run_is_watched(block))))
		return resize_profiled(block, size, usable, allocate, caller);
	return resize(block, size, usable, allocate);
}

/* Most of those that grow step by step stay where they are. */
void *core_reallocate(void *block, size_t size, void *(*allocate)(size_t))
{
	size_t code;
	if (likely(fast_code(thread_fast.heap, block, &code) && code <= TAG_CODE_MASK && size != 0)) {
		size_t usable = bytes_of_code(code);
		if (likely(fits(size, usable)))
			return block;
		if (likely(size <= MEDIUM_MAX))
			return copy_to_new(block, size, usable, allocate);
	}
	return reallocate_slow(block, size, allocate);
}
