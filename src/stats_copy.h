/* SPDX-License-Identifier: MIT */
/*
 * Counters as the program gets them: never negative, in a structure of its version of the interface.
 */
#ifndef STRATA_STATS_COPY_H
#define STRATA_STATS_COPY_H

#include "compiler.h"

#include <errno.h>
#include <string.h>

/* A difference of counters read at different times may be negative while calls are in progress. */
static inline uint64_t at_least_zero(int64_t value)
{
	return value > 0 ? (uint64_t)value : 0;
}

/* Into a structure of size bytes: what it does not have is left out, what is not known yet is zero. 0 or EINVAL. */
static inline int stats_copy(void *out, size_t size, const void *stats, size_t known)
{
	if (out == NULL || size == 0)
		return EINVAL;
	memcpy(out, stats, size_min(size, known));
	if (size > known)
		memset((char *)out + known, 0, size - known);
	return 0;
}

#endif
