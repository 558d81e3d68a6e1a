/* SPDX-License-Identifier: MIT */
/*
 * The stopped-thread test: what its two halves share. stopped_load.c is the process whose threads are stopped,
 * stopped.c the one that stops them.
 */
#ifndef STRATA_TESTS_STOPPED_H
#define STRATA_TESTS_STOPPED_H

#include <linux/futex.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

enum {
	WORKERS = 3,  /* allocate and free, each other's blocks too; worker 0 is stopped in the first part */
	SPAWNERS = 2, /* create a thread that allocates, frees and ends, and join it, over and over */
};

/* In memory shared by both processes. The load writes all but the last four, and mortal_go. */
struct shared {
	_Atomic pid_t worker[WORKERS];            /* thread ids, 0 until it runs */
	_Atomic unsigned long worked[WORKERS];    /* rounds done */
	_Atomic unsigned long spawned[SPAWNERS];  /* threads that have lived and died */
	_Atomic pid_t mortal;                     /* the thread that waits before its first call, or 0 */
	atomic_int mortal_ending;                 /* it waits before its end */
	atomic_int mortal_go;                     /* 1: it may live, 2: and end; it sets this back to 0 */
	atomic_int mortals_wait;                  /* second part: spawner 0 starts threads that wait */
	atomic_int pause;                         /* all but the thread that is stepped sleep, soon */
	atomic_int stop;                          /* all end */
};

/* A step takes as long as it takes the stepped thread to get a processor: meanwhile the others leave theirs. */
static inline void pause_set(struct shared *shared, int on)
{
	atomic_store(&shared->pause, on);
	if (!on)
		syscall(SYS_futex, &shared->pause, FUTEX_WAKE, 1000, NULL, NULL, 0);
}

static inline void pause_here(struct shared *shared)
{
	while (atomic_load(&shared->pause))
		syscall(SYS_futex, &shared->pause, FUTEX_WAIT, 1, NULL, NULL, 0);
}

/* The load: returns the exit status of its process. */
int stopped_load(struct shared *shared);

#endif
