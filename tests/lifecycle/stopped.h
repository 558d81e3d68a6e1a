/* SPDX-License-Identifier: MIT */
/*
 * The stopped-thread test: what its two halves share. stopped_load.c is the process whose threads are stopped, stopped.c
 * the one that stops them.
 */
#ifndef STRATA_TESTS_STOPPED_H
#define STRATA_TESTS_STOPPED_H

#include <stdatomic.h>
#include <sys/types.h>

enum {
	WORKERS = 3,  /* allocate and free, each other's blocks too; worker 0 is stopped in the first part */
	SPAWNERS = 2, /* create a thread that allocates, frees and ends, and join it, over and over */
};

/* In memory shared by both processes. The load writes all but mortal_go, stop and mortals_wait. */
struct shared {
	_Atomic pid_t worker[WORKERS];            /* thread ids, 0 until it runs */
	_Atomic unsigned long worked[WORKERS];    /* rounds done */
	_Atomic unsigned long spawned[SPAWNERS];  /* threads that have lived and died */
	_Atomic pid_t mortal;                     /* the thread that waits to be stopped, or 0 */
	atomic_int mortal_go;                     /* it may live now; the thread sets it back to 0 */
	atomic_int mortals_wait;                  /* second part: spawner 0 starts threads that wait */
	atomic_int stop;                          /* all end */
};

/* The load: returns the exit status of its process. */
int stopped_load(struct shared *shared);

#endif
