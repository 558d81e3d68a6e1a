/* SPDX-License-Identifier: MIT */
/* For the programs beside it, with decay_ms:10: the thread goes on with another size until the bins of all others have gone home. */
#ifndef STRATA_TESTS_IDLE_H
#define STRATA_TESTS_IDLE_H

#include "misuse.h"

#include <unistd.h>

#define OTHERS 64
#define OTHER_SIZE 100000

static inline void work(void)
{
	static pointer blocks[OTHERS];

	for (int i = 0; i < OTHERS; i++)
		blocks[i] = malloc(OTHER_SIZE);
	for (int i = 0; i < OTHERS; i++)
		free(blocks[i]);
}

/* Each of these lets the clock tick, and 30 ms of it are enough. */
static inline void let_bins_go_home(void)
{
	for (int i = 0; i < 300; i++) {
		work();
		usleep(1000);
	}
}

#endif
