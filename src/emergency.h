/* SPDX-License-Identifier: MIT */
/*
 * The emergency reserve: arenas that are charged to the limit and committed, but not touched, so that they cost no memory and cannot be
 * refused. Taken by limit.c when it is to be had, released by relief.c when a call would fail. No heap may be held by whoever calls.
 */
#ifndef STRATA_EMERGENCY_H
#define STRATA_EMERGENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Takes the reserve, or one of another size, as the setting emergency says, if there is memory for it. */
void emergency_check(void);

/* Whether so many bytes could be had, by the limit, if it were given back. */
bool emergency_would_serve(size_t bytes);

/* Gives all of it back. False: there was none. */
bool emergency_release(void);

/* How often it has been given back: more than before, so there may be memory though there is no reserve. */
uint32_t emergency_releases(void);

/* Held in reserve. */
size_t emergency_bytes(void);

#endif
