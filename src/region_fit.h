/* SPDX-License-Identifier: MIT */
/*
 * The reservation under a limit on address space that is set, or lifted, while the process runs. Called by setrlimit.c around the
 * system's call, and by process.c around forks.
 */
#ifndef STRATA_REGION_FIT_H
#define STRATA_REGION_FIT_H

#include <stddef.h>

/* The limit is about to be so many bytes, SIZE_MAX: none. Waits for another thread that is just doing that, and for forks under way, a
 * second at most: then whoever is last of those does it. Nothing in the child of a vfork: the memory is
 * another's. */
void region_fit(size_t limit);

/* The same, to the limit that is in force. */
void region_fit_to_limit(void);

void region_fit_before_fork(void);
void region_fit_after_fork_in_parent(void);
void region_fit_after_fork_in_child(void);

#endif
