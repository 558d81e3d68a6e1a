/* SPDX-License-Identifier: MIT */
/*
 * The heap profile: which calls allocated what is in use, by a sample of all bytes that were requested. While it is on, every call comes
 * to its slow path (thread.h: hidden), which counts bytes; each time that so many were requested as was drawn, the block becomes a run,
 * with pages of its own, of which the record knows the sample's number (sample.h). So whoever frees one comes there by the page's tag, and
 * when it is off nothing is asked on any path that is hot.
 *
 * Not sampled: objects of types (what they are made of would not be of the class that their tier expects), anything under check:1.
 */
#ifndef STRATA_PROFILE_H
#define STRATA_PROFILE_H

#include "compiler.h"
#include "options.h"

STRATA_FAST bool profile_is_on(void)
{
	return unlikely(options()->profile_bytes != 0);
}

/* While it is on, in each call that allocates so many bytes and returns to caller: its block, if that is chosen to be sampled. NULL: it is
 * not, or there is no room for one. */
STRATA_COLD void *profile_allocate(size_t size, size_t alignment, bool zero, const void *caller);

/* While it is on, or of a block that is sampled: draws anew whether it is sampled, by its new size, as if it were allocated, and resizes
 * it if that is not done as for others. NULL: it is, or this could not be done. Then nothing was done, and what is allocated until
 * profile_resume is not drawn for. */
STRATA_COLD void *profile_reallocate(void *block, size_t size, const void *caller);
void profile_resume(void);

/* What the calling thread allocates until profile_resume is not drawn for. */
void profile_pause(void);

/* From the constructor, and when the setting was changed: the signal that asks for it. 0, or EINVAL: it cannot be. */
int profile_begin(void);
/* There too, likewise: what must not be done first in the middle of a call. */
void profile_prepare(void);
/* After the signal, by whoever comes first. */
void profile_write_if_wanted(void);
/* In the child of a fork: what its parent was asked for is not asked of it. */
void profile_fork_child(void);
/* At the end of the process: writes it, if that is wanted. */
void profile_end(void);

#endif
