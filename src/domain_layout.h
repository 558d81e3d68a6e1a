/* SPDX-License-Identifier: MIT */
/*
 * What a thread counts for the domains: the record, its invariants, and who may touch which field. For the domain_ files; region.c
 * reserves the records.
 */
#ifndef STRATA_DOMAIN_LAYOUT_H
#define STRATA_DOMAIN_LAYOUT_H

#include "compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DOMAINS 4 /* with calls of their own: raw, mem, obj, buf */
#define ROUTES 8  /* any number, masked, is a domain, or one that has no fast path */

/*
 * What one thread counts for the domains. Written by the owning thread alone, without atomics, but for its routes; read by
 * others. A thread takes a record with its first call and gives it up at its end; what it has counted stays in it, so that the
 * sum over all records is what all threads ever did.
 *
 *   live bytes of a domain = reported (domain_count.c) + sum over the records of pending
 *   pending = free_credit - allocate_credit - balance
 *   -DOMAIN_BATCH <= pending <= DOMAIN_BATCH      between calls
 *   both credits >= 0                             between calls
 */
struct domain_record {
	/* Sizes are rounded up to this multiple, which is negative; 0 sends all calls of the domain to their slow path, since
	 * the bin of class 0 is always empty. Written by the owner when it takes the record, and by whoever exchanges a table;
	 * the protocol is in domain_table.c. */
	size_t round[ROUTES];
	/* Written with round: blocks of codes above it are freed by the slow path, all of them where it is 0. */
	size_t most_code[ROUTES];
	int64_t allocate_credit[DOMAINS]; /* bytes that may yet be allocated before something is reported */
	uint64_t allocations[DOMAINS];
	int64_t free_credit[DOMAINS];     /* bytes that may yet be freed */
	uint64_t frees[DOMAINS];
	int64_t balance[DOMAINS];         /* what the credits differ by with nothing pending, as they were set */
	uint32_t changes;                 /* odd while credits and balance are set anew: read again */
	_Atomic uint32_t next_free;       /* in the stack of records without a thread */
	_Atomic bool taken;               /* has a thread; a hint for the child of a fork */
} STRATA_ALIGNED(CACHE_LINE);

#endif
