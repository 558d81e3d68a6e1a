/* SPDX-License-Identifier: MIT */
/*
 * What a call that was refused memory does before it fails: whoever allocates off the fast path asks for relief and tries again, as long as
 * there is any. Nothing here waits, and no heap may be held by whoever calls.
 */
#ifndef STRATA_RELIEF_H
#define STRATA_RELIEF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct relief {
	size_t size; /* of the request that was refused, */
	size_t alignment; /* and what it is to be a multiple of; 0: nothing that matters here */
	size_t has; /* what a block that was to grow has by now */
	unsigned stage;
	uint32_t releases; /* of the emergency reserve, when this began */
};

/* Whether something was made free since the request was refused, so that it is worth another try. First free pages go back
 * to the system, then everything that can; then the emergency reserve is released; then the handler is asked, and with what it freed the
 * reserve may be enough. Not while the
 * thread only tries (thread.h). */
bool relief_gave(struct relief *relief);

#endif
