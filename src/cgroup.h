/* SPDX-License-Identifier: MIT */
/*
 * The container: the control group (cgroup v2) that the process is in and those above it, their limits on memory and processors,
 * and what the process's own group suffers. Read on the decay clock, a few times a second, with a few system calls and no
 * memory; where a file is not there, nothing is assumed.
 * https://docs.kernel.org/admin-guide/cgroup-v2.html, "Memory Interface Files", "CPU Interface Files"; .../accounting/psi.html
 */
#ifndef STRATA_CGROUP_H
#define STRATA_CGROUP_H

#include <stddef.h>
#include <stdint.h>

/* Reads the files if it is time to. now: os_clock_ms. */
void cgroup_look(uint64_t now);

struct cgroup_use {
	size_t limit; /* the lower of memory.high and memory.max; SIZE_MAX: neither is set */
	size_t used;  /* towards it, without page cache that the kernel can drop at once (inactive_file) */
};

/* Of all these groups the one that has the least room below its limit, as of the last look; in whole pages. */
struct cgroup_use cgroup_tightest(void);

/* Bytes that the group may yet use. */
size_t cgroup_headroom(struct cgroup_use use);

/* Hundredths of a percent of the last ten seconds in which some task of the own group waited for memory (PSI). */
unsigned cgroup_pressure(void);

/* Processors that the process may use, by its affinity and by the quotas of these groups; 1 before the first look. */
unsigned cgroup_processors(void);

#endif
