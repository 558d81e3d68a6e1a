/* SPDX-License-Identifier: MIT */
/*
 * What the os_*.c ask before they ask the system: in test builds the system may refuse, or be another one (os.h says what tests
 * can have it pretend). In all others there is nothing here.
 */
#ifndef STRATA_OS_PRETEND_H
#define STRATA_OS_PRETEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef STRATA_TEST_BUILD

/* Whether this call fails. Counts it. */
bool pretend_refusal(void);
bool pretend_commit_refused(size_t size);

/* 0: the system's own. */
size_t pretend_page_size(void);

/* As the kernel: a start between pages is an error, a length is rounded up. 0 or -EINVAL. */
int pretend_pages(const void *start, size_t *size);

/* Whether all memory is locked, of a system that gives none of that back. */
bool pretend_locked(void);

/* False: the system's own. */
bool pretend_node(int *node);

/* 0: the system's own. */
uint64_t pretend_clock(void);

/* Before a barrier: what the test wants to happen just then. */
void pretend_moment(void);

/* From the environment, since what is read at the first call is read before main. A path that is too long is cut off, and not
 * found. */
const char *pretend_path(const char *path, char *buffer, size_t size);

#else

static inline bool pretend_refusal(void)
{
	return false;
}

static inline bool pretend_commit_refused(size_t size)
{
	(void)size;
	return false;
}

static inline size_t pretend_page_size(void)
{
	return 0;
}

static inline int pretend_pages(const void *start, size_t *size)
{
	(void)start;
	(void)size;
	return 0;
}

static inline bool pretend_locked(void)
{
	return false;
}

static inline bool pretend_node(int *node)
{
	(void)node;
	return false;
}

static inline uint64_t pretend_clock(void)
{
	return 0;
}

static inline void pretend_moment(void)
{
}

static inline const char *pretend_path(const char *path, char *buffer, size_t size)
{
	(void)buffer;
	(void)size;
	return path;
}

#endif

#endif
