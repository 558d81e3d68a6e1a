/* SPDX-License-Identifier: MIT */
/*
 * Proves, with the test build of the library, which counts the calls of the system: memory that is freed goes back in large
 * pieces, in whatever order its blocks are freed. A call costs a lookup in all processors that run the process.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <strata/strata.h>

#include "../unit/support.h"

long strata_os_calls(void);

#define PEAK (160 * MIB)
#define PIECE (64 * KIB)
#define BLOCKS_MOST (PEAK / (4 * KIB))

static void *blocks[BLOCKS_MOST];

static void goes_in_large_pieces(size_t size, bool at_random)
{
	size_t count = PEAK / size;
	uint64_t purged;
	long calls;

	for (size_t i = 0; i < count; i++) {
		blocks[i] = strata_malloc(size);
		if (blocks[i] == NULL)
			fatal("no memory");
		*(volatile char *)blocks[i] = 1;
	}
	if (at_random)
		shuffle(blocks, count);
	purged = totals().purged_bytes;
	calls = strata_os_calls();
	for (size_t i = 0; i < count; i++)
		strata_free(blocks[i]);
	calls = strata_os_calls() - calls;
	purged = totals().purged_bytes - purged;
	printf("%zu-byte blocks freed %s: %llu MiB went in %ld calls\n", size, at_random ? "at random" : "in order",
	       (unsigned long long)purged / MIB, calls);
	if (purged < PEAK / 4)
		fatal("too little went back to tell");
	if ((uint64_t)calls > purged / PIECE)
		fatal("a call for each %llu KiB", (unsigned long long)(purged / KIB) / (unsigned long long)calls);
}

/* In a process of its own: one that has had such bursts may keep more. */
static void in_a_child(size_t size, bool at_random)
{
	int status = 0;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		goes_in_large_pieces(size, at_random);
		fflush(stdout);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		fatal("no child");
	if (status != 0)
		exit(1);
}

int main(int argc, char **argv)
{
	(void)argc;
	leave_out_the_container(argv);
	set_decay(STOPPED);
	in_a_child(4 * KIB, false);
	in_a_child(16 * KIB, true);
	in_a_child(100 * KIB, false);
	return 0;
}
