/* SPDX-License-Identifier: MIT */
/*
 * What the domains hold: counted by each thread in its record, reported to all by the batch, and held against the quotas. domain.c counts
 * on the fast path, domain_builtin.c off it.
 */
#ifndef STRATA_DOMAIN_COUNT_H
#define STRATA_DOMAIN_COUNT_H

#include "domain_record.h"

#include <strata/domain.h>

/* A thread keeps at most so much to itself. */
#define DOMAIN_BATCH INT64_C(65536)

/* A record that is zero, made ready. */
void count_reset(struct domain_record *record, unsigned domain);

/* A block was allocated. False: it takes the domain above its hard limit; it is not counted then, and must go back. May
 * call back. */
bool count_allocated(unsigned domain, size_t bytes);
void count_freed(unsigned domain, size_t bytes);

/* A block of old bytes has now so many, of which so many more were claimed before. */
void count_resized(unsigned domain, size_t old, size_t claimed, size_t bytes);

/* Whether there is a hard limit. */
bool count_is_limited(unsigned domain);

/* More than a batch at once is added to what is counted and looked at then, so that of two that come at the same time the later one sees
 * both. False: the hard limit does not allow it; nothing is added. */
bool count_claim(unsigned domain, size_t bytes);
void count_unclaim(unsigned domain, size_t bytes);

/* Whether so many bytes more would not take the domain above its hard limit. */
bool count_has_room(unsigned domain, size_t bytes);

/* Whether they would; counts the refusal. */
bool count_refuses(unsigned domain, size_t bytes);
void count_refused(unsigned domain);

/* The allocation that was just counted has used up the thread's credit: reports. False as for count_allocated. */
bool count_report_allocated(struct domain_record *record, unsigned domain, size_t bytes);
void count_report_freed(struct domain_record *record, unsigned domain);

/* Reports all that is pending: the thread ends. */
void count_report_all(struct domain_record *record);

/* The same in the child of a fork, for a thread that is gone. The copy may have caught it while it reported or set its
 * credits: then what is pending, at most a batch in each domain, is lost rather than counted twice. What it had claimed for a large block
 * that it was about to get stays counted. */
void count_orphan(struct domain_record *record);

/* Fills all of *stats; stops no thread. */
void count_read(unsigned domain, struct strata_domain_stats *stats);

/* Peak: from what is live now on. */
void count_reset_peak(unsigned domain);

/* A line on stderr for each domain that was used (domain_stats.c). */
void domain_stats_print(void);

/* The quota's limits changed: each thread asks when its credit is used up, a batch at most. */
void count_set_limits(unsigned domain, uint64_t soft_bytes, uint64_t hard_bytes);

#endif
