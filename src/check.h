/* SPDX-License-Identifier: MIT */
/*
 * Messages and assertions. Nothing here allocates.
 */
#ifndef STRATA_CHECK_H
#define STRATA_CHECK_H

#include "compiler.h"

/* One line on stderr: a %s takes a string, a %p a pointer, %u an unsigned, %lu an unsigned long; nothing else is known. */
STRATA_COLD void message(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Misuse by the program: "strata: function(block): what" and abort, or only the line where misuse:warn is set. */
STRATA_COLD void misuse(const char *function, const void *block, const char *what);
STRATA_COLD void misuse_twice(const void *block); /* free: the block is free already */

/* The same: "size GIVEN given, REQUESTED requested". */
STRATA_COLD void misuse_size(const char *function, const void *block, size_t given, size_t requested);

/* An invariant of strata's own does not hold: the line, and abort always. */
STRATA_COLD _Noreturn void invariant_broken(const char *file, unsigned line, const char *condition);

/* Two tiers: ensure() is always on and stands on slow paths only; expect() is compiled in debug builds, and is type-checked
 * in all. */
#define ensure(condition) ((void)(likely(condition) || (invariant_broken(__FILE__, __LINE__, #condition), 0)))
#ifdef STRATA_DEBUG
#define expect(condition) ensure(condition)
#else
#define expect(condition) ((void)sizeof((condition) ? 1 : 0))
#endif

#endif
