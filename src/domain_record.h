/* SPDX-License-Identifier: MIT */
/*
 * Each thread's record of what it did in the domains (struct domain_record in domain_layout.h): taken, given up, walked.
 *
 *   take / take           CAS on the stack of records without a thread, or on the number of records
 *   take / set routes     both write round; domain_table.c says why the newer table wins
 *   count / sum           plain words with one writer; a sum taken meanwhile is out by what is under way
 */
#ifndef STRATA_DOMAIN_RECORD_H
#define STRATA_DOMAIN_RECORD_H

#include "domain_layout.h"
#include "layout.h"

/* Every thread's record before its first call and after its end: all routes lead to the slow path. Never written. */
extern STRATA_HIDDEN struct domain_record empty_record;

/* The calling thread's record, taking one if it has none. NULL: it is at its end, or memory is refused. */
struct domain_record *record_own(void);

/* The thread ends: what is pending is reported, and the record serves others. */
void record_give_up(void);

/* Records that exist: those numbered 1 ... record_count(). */
uint32_t record_count(void);

static inline struct domain_record *record_at(uint32_t number)
{
	return &region.records[number];
}

/* In the child of a fork: the records of threads that are gone serve others. */
void record_orphan_all(void);

#endif
