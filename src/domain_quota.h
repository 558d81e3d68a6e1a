/* SPDX-License-Identifier: MIT */
/*
 * Quotas of domains: setting them, and calling back. What the limits do is in domain_count.c.
 */
#ifndef STRATA_DOMAIN_QUOTA_H
#define STRATA_DOMAIN_QUOTA_H

#include "compiler.h"

/* Whether the calling thread is in no callback already. */
bool quota_may_call_back(void);

/* The domain's live bytes are above its soft limit: tells the program. */
void quota_call_back(unsigned domain, uint64_t live_bytes);

/* In the child of a fork: other threads' callbacks are gone; the calling thread's, if it forked in one, is not. */
void quota_after_fork_in_child(void);

#endif
