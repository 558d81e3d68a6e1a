/* SPDX-License-Identifier: MIT */
#include "slow.h"

#include "background.h"
#include "check.h"
#include "checked.h"
#include "core.h"
#include "fast.h"
#include "limit.h"
#include "options.h"
#include "profile.h"
#include "relief.h"
#include "remote.h"
#include "run.h"
#include "thread.h"

#include <errno.h>

static void *out_of_memory(void)
{
	thread_detach_if_leaving();
	if (!thread_self.trial)
		errno = ENOMEM;
	return NULL;
}

/* ---- Allocation ----------------------------------------------------------------------------------------------------- */

/* Zeroed blocks that come here are large enough to be runs. A tier that expects blocks of the class gets no run of such a size. */
static void *take(size_t size, unsigned class, bool zero, bool of_class, bool *without_heap)
{
	if (zero || size > MEDIUM_MAX)
		return run_allocate(size, 1, zero);
	return of_class ? core_allocate_of_class(class, without_heap) : core_allocate_class(class);
}

/* For the call that returns to caller; NULL: for a tier that expects blocks of the class, which are not sampled. Where there is no heap to
 * be had it is of no use to free memory. */
static void *allocate(size_t size, unsigned class, bool zero, const void *caller)
{
	if (unlikely(options()->check))
		return checked_allocate(size, 1, zero);
	if (size > PTRDIFF_MAX)
		return out_of_memory();
	struct relief relief = { .size = size };
	bool without_heap = false;
	void *block = profile_is_on() && caller != NULL ? profile_allocate(size, 1, zero, caller) : NULL;
	while (block == NULL) {
		block = take(size, class, zero, caller == NULL, &without_heap);
		if (unlikely(block == NULL) && (without_heap || !relief_gave(&relief)))
			return out_of_memory();
	}
	limit_after_allocation();
	thread_detach_if_leaving();
	return block;
}

static unsigned class_for(size_t size)
{
	return size > MEDIUM_MAX ? 0 : class_of_size(size);
}

/* The two are reached by jumps: they return to whoever called malloc. */
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

/* As fast_free does it, had the heap not been hidden. */
static bool free_diverted(void *block)
{
	size_t code;
	thread_take_diverted();
	limit_after_free();
	if (!fast_code(thread_self.own, block, &code) || code > TAG_CODE_MASK)
		return false;
	fast_push(thread_self.own, block, code);
	return true;
}

/* What comes here most is another heap's, which is tried first: it needs nothing but the batch of the heap in sight, and the empty one has
 * none. The thread's own blocks come here while its heap is hidden. */
void free_other(void *block, size_t size)
{
	page_tag tag = core_tag(block);
	if (tag != TAG_FOREIGN && remote_free_carried(thread_fast.heap, block, tag))
		return;
	if (block == NULL)
		return;
	if (unlikely(thread_self.diverted) && free_diverted(block))
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
	limit_after_free();
}
