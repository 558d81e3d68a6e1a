/* SPDX-License-Identifier: MIT */
/*
 * The functions of libc that strata replaces, declared here: its headers would attach to them what compilers conclude from
 * their names. And what operators.cc calls.
 */
#ifndef STRATA_LIBC_NAMES_H
#define STRATA_LIBC_NAMES_H

#include "compiler.h"

#include <stddef.h>
#include <stdio.h>

void *malloc(size_t size);
void free(void *block);
void *calloc(size_t count, size_t size);
void *realloc(void *block, size_t size);
void *reallocarray(void *block, size_t count, size_t size);
void cfree(void *block);
void free_sized(void *block, size_t size);
void free_aligned_sized(void *block, size_t alignment, size_t size);
void *aligned_alloc(size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size);
int posix_memalign(void **result, size_t alignment, size_t size);
void *valloc(size_t size);
void *pvalloc(size_t size);
size_t malloc_usable_size(void *block);
int malloc_trim(size_t pad);
void malloc_stats(void);
int malloc_info(int options, FILE *stream);
int mallopt(int parameter, int value);

/* strata's malloc, also where the process has another: then malloc is that one, seen from where neither is defined. */
extern STRATA_HIDDEN void *own_malloc(size_t size);

/* A block by malloc's rule; NULL and ENOMEM. */
void *strata_malloc16(size_t size);

/* A block at a multiple of alignment, a power of two; NULL and ENOMEM. */
void *strata_memalign(size_t alignment, size_t size);

#endif
