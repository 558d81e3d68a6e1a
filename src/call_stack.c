/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "call_stack.h"

#include <errno.h>
#include <execinfo.h>
#include <sched.h>

/*
 * Looking takes locks of the loader's (in a static program each time, else the first time, which loads a library and so may
 * come back here). A child must not inherit them taken: fork waits for those who look, and nobody begins meanwhile. Either
 * who looks sees the fork, or the fork sees him.
 */
static __thread bool looking;
static STRATA_READ_MOSTLY bool allowed; /* written before there are threads, or at worst a look too late */
static _Atomic unsigned lookers;
static _Atomic unsigned forks;

void call_stack_before_fork(void)
{
	atomic_fetch_add(&forks, 1);
	while (atomic_load(&lookers) != looking)
		sched_yield();
}

void call_stack_after_fork_in_parent(void)
{
	atomic_fetch_sub(&forks, 1);
}

void call_stack_after_fork_in_child(void)
{
	atomic_store(&lookers, looking);
	atomic_store(&forks, 0);
}

bool call_stack_is_looked_at(void)
{
	return looking;
}

static STRATA_NOINLINE unsigned look(void **frames, unsigned most)
{
	int count = 0;
	if (looking || !others_read(allowed))
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
	owner_set(allowed, true);
}

void call_stack_prepare(void)
{
	void *frame;
	look(&frame, 1);
}
