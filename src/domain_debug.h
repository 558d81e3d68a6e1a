/* SPDX-License-Identifier: MIT */
/*
 * The domains' debug hooks: every block of the built-in table between guards, filled when it comes and when it goes, and
 * put in a quarantine when it is freed. Called by the built-in table (domain_builtin.c) where the hooks are on. Independent of check:1,
 * whose quarantine (checked.c) is of blocks of all tiers and in another form.
 */
#ifndef STRATA_DOMAIN_DEBUG_H
#define STRATA_DOMAIN_DEBUG_H

#include "compiler.h"

/* Whether the hooks are on. The first question decides it for good: by the setting domain_debug, if strata_domain_debug was
 * not called before. */
bool debug_is_on(void);

/* A block of size bytes between guards, filled, or zero if wanted. NULL when memory is refused; errno is not set. */
STRATA_COLD void *debug_allocate(unsigned domain, size_t alignment, size_t size, bool zero);

/* Whether a block of the domain is as it should be; what was requested goes to *size. False: the finding is told. */
STRATA_COLD bool debug_check(unsigned domain, const void *block, const char *function, size_t *size);

/* Frees a block that was checked: fills it, keeps it back, and looks at it again before its memory goes. */
STRATA_COLD void debug_free(void *block);

/* Looks at what the calling thread keeps back, and frees it: the thread, or the process, ends. */
STRATA_COLD void debug_thread_end(const char *function);

#endif
