/* SPDX-License-Identifier: MIT */
/*
 * The reservation under a limit on address space that is set, or lifted, while the process runs.
 */
#ifndef STRATA_REGION_FIT_H
#define STRATA_REGION_FIT_H

#include <stddef.h>

/* The limit is about to be lowered to so many bytes, or has been raised; SIZE_MAX: none. Where another thread is just doing that, or a fork
 * is under way, they do it. Does nothing in a process that has not forked as usual (vfork: the memory is another's). */
void region_fit(size_t limit);

void region_fit_before_fork(void);
void region_fit_after_fork_in_parent(void);
void region_fit_after_fork_in_child(void);

#endif
