/* SPDX-License-Identifier: MIT */
/* Verification of blocks, outside the timed part: bench_fill and bench_verify of bench.h, and what they counted. */
#ifndef BENCH_CHECK_H
#define BENCH_CHECK_H

#include <stdint.h>

uint64_t check_live(void);      /* bytes filled and not yet verified */
uint64_t check_live_peak(void); /* the most so far */
uint64_t check_verified(void);  /* blocks */

#endif /* BENCH_CHECK_H */
