/* SPDX-License-Identifier: MIT */
/*
 * The emergency reserve: arenas that are charged to the limit and committed, but not touched, so that they cost no memory and cannot be
 * refused. Taken by limit.c when it is to be had, released by relief.c when a call would fail. No heap may be held by whoever calls.
 */
#ifndef STRATA_EMERGENCY_H
#define STRATA_EMERGENCY_H

#include <stdbool.h>
#include <stddef.h>

/* Takes the reserve, or one of another size, as the setting emergency says, if there is memory for it. */
void emergency_check(void);

/* Gives all of it back. False: there was none. */
bool emergency_release(void);

/* Held in reserve. */
size_t emergency_bytes(void);

#endif
