/* SPDX-License-Identifier: MIT */
/*
 * The heap profile: which calls allocated what is in use, by a sample of all bytes that were requested. While it is on, every call comes
 * to its slow path (thread.h: hidden), which counts bytes; each time that so many were requested as was drawn, the block becomes a run,
 * with pages of its own, of which the record knows the sample's number (sample.h). So who frees one comes there by the page's tag, and
 * when it is off nothing is asked on any path that is hot.
 *
 * Not sampled: objects of types, blocks of domains (what they are made of would not be of the class that their tiers expect), anything
 * under check:1.
 */
#ifndef STRATA_PROFILE_H
#define STRATA_PROFILE_H

#include "compiler.h"
#include "options.h"

STRATA_FAST bool profile_is_on(void)
{
	return unlikely(options()->profile_bytes != 0);
}

/* While it is on, in each call that allocates so many bytes: whether its block is to be sampled. */
STRATA_COLD bool profile_chooses(size_t size);

/* block is a run that was chosen, allocated by the call that returns to caller: from now on it is in the profile. */
STRATA_COLD void profile_note(void *block, size_t size, const void *caller);

/* From the constructor, and when a setting may have been changed: what must not be done first in the middle of a call. */
void profile_prepare(void);
/* At the end of the process: writes it, if that is wanted. */
void profile_end(void);

#endif
