/* SPDX-License-Identifier: MIT */
/*
 * The optional thread (background:1) that does the housekeeping of a process that has gone idle altogether. Slow paths consider starting
 * it; it calls what strata_maintain does.
 */
#ifndef STRATA_BACKGROUND_H
#define STRATA_BACKGROUND_H

#include "compiler.h"
#include "options.h"

/* 0: to be begun; 1: begun, or could not be. Set to 1 by a CAS of whoever begins, and at the end of the process; to 0 in the child of a
 * fork. */
extern STRATA_HIDDEN _Atomic unsigned background_begun;

STRATA_NOINLINE void background_begin(const void *caller);

/* On slow paths: begins the thread if it is wanted, unless caller (who called malloc) is libc or the loader: it may be in the
 * middle of making a thread, or of loading an object; nor if it is this library. NULL: the program called for housekeeping itself.
 * Making the thread is libc's work: the one call that does it may wait for another that is making one (the setting says so). */
STRATA_FAST void background_consider(const void *caller)
{
	if (unlikely(options()->background) && atomic_load_explicit(&background_begun, memory_order_relaxed) == 0)
		background_begin(caller);
}

/* From the library's constructor: threads are possible from here on. */
void background_allow(void);

/* When the setting may just have been switched on: what sandbox the process is in then is not one that it entered. */
void background_note_filters(void);

/* At the end of the process: returns when the thread has ended, or is stopped by someone for a second. */
void background_end(void);

/* In the child of a fork: the thread is not there. */
void background_forget(void);

#endif
