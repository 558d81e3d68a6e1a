/* SPDX-License-Identifier: MIT */
/* What the kernel says of this process's memory. Reads with system calls only: nothing is allocated. */
#ifndef BENCH_MEMORY_H
#define BENCH_MEMORY_H

#include <stdint.h>

/* Bytes resident now, exact: the sum over the mappings (the counters of /proc/self/status and statm lag). */
uint64_t memory_resident(void);

/* The highest number of bytes resident so far, as the kernel counted it. */
uint64_t memory_peak(void);

#endif /* BENCH_MEMORY_H */
