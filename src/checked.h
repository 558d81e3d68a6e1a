/* SPDX-License-Identifier: MIT */
/*
 * check:1: every call takes this path. Each block ends in a trailer that knows what was requested and whether the block is
 * the program's; freed blocks are filled, wait in a quarantine, and are looked at before they go home.
 */
#ifndef STRATA_CHECKED_H
#define STRATA_CHECKED_H

#include "slow.h"

#include <stdbool.h>

/* NULL and ENOMEM on failure. alignment is a power of two; at least 16 is given. */
STRATA_COLD void *checked_allocate(size_t size, size_t alignment, bool zero);
STRATA_COLD void *checked_reallocate(void *block, size_t size);

/* size: what the caller says was requested, or ANY_SIZE. */
STRATA_COLD void checked_free(void *block, const char *function, size_t size);

/* What was requested: under check:1 not a byte more may be used. */
STRATA_COLD size_t checked_usable(const void *block, const char *function);
/* The same, which may be 0. False: it is no block, and that was told. */
STRATA_COLD bool checked_measure(const void *block, const char *function, size_t *size);

/* Verify what the calling thread has in quarantine and free it. */
STRATA_COLD void checked_thread_end(void);
STRATA_COLD void checked_process_end(void);

#endif
