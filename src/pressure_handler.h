/* SPDX-License-Identifier: MIT */
/*
 * The program's handler for memory pressure (strata_on_pressure), and the soft limit, which it is told of once until use has fallen by a
 * sixteenth. Called by limit.c, after calls that may have passed the limit or fallen below, and by relief.c. Nothing here waits.
 */
#ifndef STRATA_PRESSURE_HANDLER_H
#define STRATA_PRESSURE_HANDLER_H

#include <strata/strata.h>

#include <stdbool.h>

/* False: there is none, or the calling thread is in it already. */
bool handler_call(enum strata_pressure what);

/* Calls the handler if the soft limit has been passed and it does not know. */
void soft_limit_check(void);

/* Forgets what the handler was told if that is past. */
void soft_limit_check_fallen(void);

#endif
