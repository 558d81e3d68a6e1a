/* SPDX-License-Identifier: MIT */
/*
 * The calling thread: which heap is its own, whether its next calls are diverted from the fast path to the slow one, and its end. What it
 * knows of itself is here for all files that serve it; the hot functions (fast.h) read thread_fast alone.
 */
#ifndef STRATA_THREAD_H
#define STRATA_THREAD_H

#include "layout.h"

struct quarantine;

/* What the fast paths use, behind one address. Neither is ever NULL. */
struct thread_fast {
	struct heap *heap;            /* the thread's own; empty_heap before its first call, after its end, under check:1,
	                               * and while calls are diverted; while the heap profile is on its shadow, as empty */
	struct domain_record *record; /* likewise; empty_record before its first call by domain */
};
extern STRATA_TLS struct thread_fast thread_fast;

/* The rest of what a thread knows of itself; off the fast path. */
struct thread {
	struct heap *own;              /* the heap it has, even when thread_fast hides it; NULL: none */
	struct heap *home;             /* while own is a spare: the heap that a fork held; NULL: there was none */
	struct quarantine *quarantine; /* check:1 */
	uint32_t run_frees;            /* runs it has freed */
	uint32_t diversions_left;      /* so many calls may yet look at the clock, */
	uint32_t diversions_since;     /* granted up to this time, in ms */
	uint32_t glances;              /* calls of thread_glance */
	bool diverted;                 /* the next call does, or the profile is on: thread_fast hides the heap from it */
	uint64_t sample_random;        /* what distances between samples of the heap profile are drawn by (profile.c); 0: nothing yet */
	size_t sample_rate;            /* the setting that the next was drawn for, */
	int64_t sample_left;           /* and bytes to it */
	bool sample_paused;            /* what is allocated now was drawn for */
	bool trial;                    /* a refusal is no failure: there is another way, so nothing is done about it (core_resize.c) */
	uint8_t rounds;                /* how often its destructor has run */
	bool leaving;                  /* the last destructor has run: a heap is taken for one call only */
};
extern STRATA_TLS struct thread thread_self;

/* The calling thread's heap, taking one if it has none. NULL when memory is refused. */
struct heap *thread_attach(void);

/*
 * A thread whose bins have all that it wants never comes to the slow path, and so not to the clock by which the memory of the
 * whole process goes back. So when it has been there, the next calls are sent there as well, by way of the empty heap: until
 * the clock is due, and so on. How many is bounded, so that a thread of many calls is not slowed down; one of few keeps the
 * clock going.
 */

/* At the end of a call that came to the slow path by itself: the next one is sent there, if calls are left. */
void thread_divert_next(void);

/* In each 64th call that asks how large a block is, as programs do beside malloc and free, as if it had come there. */
STRATA_FAST void thread_glance(void)
{
	if (unlikely(++thread_self.glances % 64 == 0))
		thread_divert_next();
}

/* In a call that was sent there (diverted), first of all: shows the heap again, does what is due by the clock, and hides it from
 * the next call, if calls are left. */
void thread_take_diverted(void);

/* Someone is in the thread's heap: leaves it to them and takes another; if a fork holds it, only until that is over. NULL
 * when memory is refused. */
struct heap *thread_switch_heap(void);

/* With a spare: goes back, if it can by now, to the thread's heap. Returns the heap that it has then. */
struct heap *thread_go_home(void);

/* From the library's constructor: threads are told of their end from here on. */
void thread_begin(void);

/* What all tiers do at a thread's end (process.c), while it still has a heap to free into. */
void process_thread_ends(void);

/* Before a fork: the thread's heap, which nobody claims until claim_allow; NULL when it has none, or a spare, or another is in it or has
 * claimed it. In the child: what was barred is the thread's heap; any other was copied half-changed. */
struct heap *thread_bar_heap(void);
void thread_in_child(struct heap *barred);

/* After a call by a thread that is leaving: lets go of the heap taken for it. */
void thread_detach_if_leaving(void);

#endif
