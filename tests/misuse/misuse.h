/* SPDX-License-Identifier: MIT */
/*
 * For the programs beside it. Each does one thing wrong and, where that is reported, prints the pointer that the report
 * must name. Pointers are volatile, so that the compiler neither warns of what it sees nor makes anything of it.
 */
#ifndef STRATA_TESTS_MISUSE_H
#define STRATA_TESTS_MISUSE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#undef _FORTIFY_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef char *volatile pointer;

/* dprintf allocates nothing. */
static inline void name_block(const void *block)
{
	dprintf(1, "%p\n", block);
}

static inline void write_at(char *block, size_t offset)
{
	((volatile char *)block)[offset] ^= 0x11;
}

#endif
