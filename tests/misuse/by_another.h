/* SPDX-License-Identifier: MIT */
/* For the programs beside it: blocks that the main thread allocates and another thread frees. */
#ifndef STRATA_TESTS_BY_ANOTHER_H
#define STRATA_TESTS_BY_ANOTHER_H

#include "misuse.h"

#include <pthread.h>

#define BLOCKS 200
#define BATCH 64 /* so many of one owner, of a few bytes, are handed over together; the last that are not at the thread's end */

static pointer blocks[BLOCKS];

static inline void allocate_all(size_t size)
{
	for (int i = 0; i < BLOCKS; i++)
		blocks[i] = malloc(size);
}

/* Another thread's work, from its beginning to its end. */
static inline void by_another(void *(*work)(void *), void *argument)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, work, argument) != 0 || pthread_join(thread, NULL) != 0)
		_Exit(100);
}

static inline void *free_all(void *unused)
{
	for (int i = 0; i < BLOCKS; i++)
		free(blocks[i]);
	return unused;
}

static inline void overwrite(char *block, int word, uintptr_t value)
{
	((volatile uintptr_t *)(void *)block)[word] = value;
}

#endif
