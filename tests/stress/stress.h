/* SPDX-License-Identifier: MIT */
/*
 * What the stress programs share. A stress program runs for STRATA_STRESS_SECONDS (2 by default), verifies the contents
 * of every block it frees, and ends with status 0, or aborts with one line that says what was wrong.
 *
 * Compiled with -DSTRESS_NATIVE it calls strata_* instead of libc's names, for builds in which libc's malloc belongs to
 * a sanitizer; stress_scale then makes it smaller.
 */
#ifndef STRATA_TESTS_STRESS_STRESS_H
#define STRATA_TESTS_STRESS_STRESS_H

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <strata/strata.h>

#include "../unit/support.h"

#ifdef STRESS_NATIVE
#define x_malloc strata_malloc
#define x_calloc strata_calloc
#define x_realloc strata_realloc
#define x_aligned_alloc strata_aligned_alloc
#define x_free strata_free
#define x_usable_size(block) strata_usable_size(block)
#else
#define x_malloc malloc
#define x_calloc calloc
#define x_realloc realloc
#define x_aligned_alloc aligned_alloc
#define x_free free
#define x_usable_size(block) malloc_usable_size(block)
#endif

/* A block and what is written in it. */
struct piece {
	unsigned char *block;
	size_t size;
	uint64_t seed;
};

/* Begins the program: strata serves it, its standard output is unbuffered, and an alarm ends it if it should hang. */
void stress_begin(const char *name);

/* One line that says what was done, and the exit status. */
int stress_end(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Whether the time has come to end. Cheap enough for every turn of a loop. */
extern atomic_bool stress_stop;
static inline bool stress_over(void)
{
	return atomic_load_explicit(&stress_stop, memory_order_relaxed);
}

/* Sleeps for the part of the program's time, then sets stress_stop. */
void stress_run_for(double part);

/* A number of threads, blocks or rounds, made smaller where a sanitizer makes all slower. */
size_t stress_scale(size_t number);

pthread_t stress_thread(void *(*body)(void *), void *argument);
void stress_join(pthread_t thread);

/* A block of size bytes, by one of malloc, calloc and aligned_alloc, filled; and the proof of its contents. */
struct piece piece_new(size_t size, uint64_t *random);
void piece_verify(const struct piece *piece);
void piece_free(struct piece *piece);
void piece_resize(struct piece *piece, size_t size, uint64_t *random);

/* Aborts when resident_bytes() is above limit; what names what grew. Nothing where a sanitizer's shadow counts too. */
void check_resident(const char *what, size_t limit);

#endif
