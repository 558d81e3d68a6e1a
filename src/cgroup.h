/* SPDX-License-Identifier: MIT */
/*
 * The container: the control group (cgroup v2) that the process is in, its limits on memory and what it suffers. Read on the
 * decay clock, a few times a second, with a few system calls and no memory; where a file is not there, nothing is assumed.
 * https://docs.kernel.org/admin-guide/cgroup-v2.html, "Memory Interface Files"; .../accounting/psi.html
 */
#ifndef STRATA_CGROUP_H
#define STRATA_CGROUP_H

#include <stddef.h>
#include <stdint.h>

/* Reads the files if it is time to. now: os_clock_ms. */
void cgroup_look(uint64_t now);

/* As of the last look, by the lower of memory.high and memory.max, which is SIZE_MAX when neither is set. */
size_t cgroup_limit(void);

/* What counts towards it, without page cache that the kernel can drop at once (inactive_file). */
size_t cgroup_used(void);

/* Hundredths of a percent of the last ten seconds in which some task of the group waited for memory (PSI). */
unsigned cgroup_pressure(void);

#endif
