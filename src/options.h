/* SPDX-License-Identifier: MIT */
/*
 * Settings: STRATA_OPTIONS="name:value,name:value", read once, at the first call.
 */
#ifndef STRATA_OPTIONS_H
#define STRATA_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum huge_policy { HUGE_NEVER, HUGE_BY_SIZE, HUGE_ALWAYS };

struct options {
	bool check;             /* every call takes the checked path */
	bool misuse_warns;      /* a message only, no abort */
	bool print_stats;       /* at exit */
	bool purge_lazily;      /* MADV_FREE: RSS falls only when the kernel wants memory */
	enum huge_policy huge;
	size_t decay_ms;        /* how long a free page stays before it goes back */
	size_t cache_bytes;     /* one thread's bins, all classes together */
	size_t cache_all_bytes; /* all threads' bins */
	size_t quarantine_bytes; /* check: freed blocks kept back, for each thread */
	size_t reserve_bytes;   /* address space */
	size_t retain_bytes;    /* free pages that may stay whatever their age, until decay_ms is over */
};

/* The settings in force. Reads the environment on the first call. */
const struct options *options(void);

#endif
