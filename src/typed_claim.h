/* SPDX-License-Identifier: MIT */
/*
 * The lists of sleeping threads, claimed without their cooperation: what they hold serves others, or goes to the tier below.
 */
#ifndef STRATA_TYPED_CLAIM_H
#define STRATA_TYPED_CLAIM_H

#include "typed_layout.h"

/* What threads hold that have not used their lists for idle_ms, a bounded part at a time; now is the clock's, in ms. Bytes that went to
 * the tier below. */
size_t typed_claim_idle(uint64_t now, uint64_t idle_ms, enum typed_callbacks callbacks);

/* What all other threads hold, but for one object of each list. */
size_t typed_claim_all(enum typed_callbacks callbacks);

#endif
