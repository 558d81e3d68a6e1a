/* SPDX-License-Identifier: MIT */
/* realloc: in place, and by copying. */
#include "core.h"

#include "background.h"
#include "checked.h"
#include "fast.h"
#include "limit.h"
#include "profile.h"
#include "relief.h"
#include "run.h"
#include "thread.h"

#include <errno.h>
#include <string.h>

/* Small blocks are copied at the price of the call. */
#define GROW_FROM 512u

/* A block that shrinks stays where it is unless half of it would be wasted. */
static bool fits(size_t size, size_t usable)
{
	return size <= usable && (size > usable / 2 || usable <= 64);
}

/* But for the native rule (allocate_slow) blocks are aligned to 16 from that size on: one of the native calls may not be. Where no memory
 * is to be had one that shrinks stays as it is. */
static bool may_stay(size_t size, size_t usable, void *(*allocate)(size_t))
{
	return fits(size, usable) && likely(usable % 16 == 0 || size < 16 || allocate == allocate_slow);
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
		struct relief relief = { .size = size, .has = run_usable(block) };
		void *resized;
		do {
			resized = run_resize(block, size) ? block : run_move(block, size);
		} while (unlikely(resized == NULL) && relief_gave(&relief));
		limit_after_allocation();
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
	if (may_stay(size, usable, allocate) && usable <= CLEARED_MAX)
		return block;
	if (unlikely(core_tag(block) == TAG_RUN))
		return resize_run(block, size, allocate);
	return may_stay(size, usable, allocate) ? block : copy_to_new(block, size, usable, allocate);
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
	if (profile_is_on() || (core_tag(block) == TAG_RUN && unlikely(run_is_sampled(block))))
		return resize_profiled(block, size, usable, allocate, caller);
	return resize(block, size, usable, allocate);
}

/* Most of those that grow step by step stay where they are. */
STRATA_ENTRY void *core_reallocate(void *block, size_t size, void *(*allocate)(size_t))
{
	size_t code;
	if (likely(fast_code(thread_fast.heap, block, &code) && code <= TAG_CODE_MASK && size != 0)) {
		size_t usable = bytes_of_code(code);
		/* may_stay, the rare half of it elsewhere: 2 % of a growth by steps of 64 bytes. */
		if (unlikely(usable % 16 != 0) && allocate != allocate_slow)
			return reallocate_slow(block, size, allocate);
		if (likely(fits(size, usable)))
			return block;
		if (likely(size <= MEDIUM_MAX))
			return copy_to_new(block, size, usable, allocate);
	}
	return reallocate_slow(block, size, allocate);
}
