/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "call_stack.h"

#include "os.h"

#include <errno.h>
#include <execinfo.h>

/*
 * Looking takes locks of the loader's (in a static program each time, else the first time, which loads a library and so may
 * come back here). A child must not inherit them taken: fork waits for those who look, and nobody begins meanwhile. Either
 * who looks sees the fork, or the fork sees him. But not for long: who looks may be stopped, or have been ended in the middle, or be the
 * one who forks, in a signal's handler. Then the child does without stacks.
 */
static __thread bool looking;
/* Set by a constructor, cleared in a child; read by whoever is about to look. Orders nothing. */
static STRATA_READ_MOSTLY _Atomic bool allowed;
/* Counted by whoever looks, and by whoever forks, around it, each before he reads the other; both sequentially consistent, as the rule
 * above needs. Set to 0 in a child. */
static _Atomic uint32_t lookers;
static _Atomic unsigned forks;
/* Of the lookers those that were waited for in vain: by whoever forks. Too many let a fork wait for fewer, whose child then does without
 * stacks; as many as there are lookers at most, once another forks. */
static _Atomic unsigned gone;

/* Whether somebody may look while this thread forks. */
static __thread bool disturbed;

#define WAIT_MS_MOST 20u

static unsigned others_among(unsigned count)
{
	unsigned known = atomic_load(&gone) + looking;
	return count > known ? count - known : 0;
}

void call_stack_before_fork(void)
{
	atomic_fetch_add(&forks, 1);
	unsigned now_looking = atomic_load(&lookers);
	if (atomic_load(&gone) > now_looking)
		atomic_store(&gone, now_looking);
	if (others_among(now_looking) > 0) {
		struct os_patience patience = os_patience(WAIT_MS_MOST);
		while (others_among(now_looking) > 0 && os_wait_patiently(&lookers, now_looking, &patience))
			now_looking = atomic_load(&lookers);
	}
	unsigned left = others_among(now_looking);
	disturbed = looking || left > 0 || atomic_load(&gone) > 0;
	atomic_fetch_add(&gone, left);
}

void call_stack_after_fork_in_parent(void)
{
	atomic_fetch_sub(&forks, 1);
}

void call_stack_after_fork_in_child(void)
{
	if (disturbed)
		atomic_store(&allowed, false);
	atomic_store(&lookers, 0);
	atomic_store(&gone, 0);
	atomic_store(&forks, 0);
}

bool call_stack_is_looked_at(void)
{
	return looking;
}

static STRATA_NOINLINE unsigned look(void **frames, unsigned most)
{
	int count = 0;
	if (looking || !atomic_load_explicit(&allowed, memory_order_relaxed))
		return 0;
	int saved_errno = errno;
	looking = true;
	atomic_fetch_add(&lookers, 1);
	if (atomic_load(&forks) == 0)
		count = backtrace(frames, (int)most);
	atomic_fetch_sub(&lookers, 1);
	looking = false;
	errno = saved_errno;
	return (unsigned)count;
}

/* The library's own frames between the program's call and backtrace. */
#define OWN_MOST 12u
#define FRAMES_MOST 64u

STRATA_NOINLINE stack_number call_stack_from(const void *caller, unsigned most)
{
	void *frames[FRAMES_MOST + OWN_MOST];
	/* The one allocates with a lock held that looking takes: __register_frame, and what is thrown after that. The other in the middle of
	 * changing what says whose code is whose: the unwinder, which does not find itself then, aborts. */
	if (unlikely(os_is_unwinder(caller) || os_is_loader(caller))) {
		frames[0] = (void *)(uintptr_t)caller;
		return depot_put(frames, 1);
	}
	unsigned count = look(frames, (most < FRAMES_MOST ? most : FRAMES_MOST) + OWN_MOST);
	unsigned first = 2; /* this function's, and the one's above */
	if (count <= first)
		return 0;
	for (unsigned i = first; i < count && i < OWN_MOST; i++)
		if (frames[i] == caller)
			first = i;
	return depot_put(frames + first, count - first < most ? count - first : most);
}

void call_stack_allow(void)
{
	atomic_store(&allowed, true);
}

void call_stack_prepare(void)
{
	void *frame;
	look(&frame, 1);
	os_learn_unwinder();
}
