/* SPDX-License-Identifier: MIT */
/*
 * Proves, with the test build of the library, which counts the calls of the system: memory that is freed goes back in
 * large pieces, in whatever order its blocks are freed, and where that is refused, as of locked memory, it is let be
 * for a while. A call costs a lookup in all processors that run the process.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <strata/strata.h>

#include "../unit/support.h"
#include "region.h"

long strata_os_calls(void);
void strata_os_pretend_locked(bool locked);

#define PEAK (160 * MIB)
#define PIECE (64 * KIB)
#define BLOCKS_MOST (PEAK / (4 * KIB))

static void *blocks[BLOCKS_MOST];

/* What went: pages of blocks, and records of the pages of arenas of which all went. */
static size_t page_calls, record_calls;

/* The library's calls come here. */
int madvise(void *start, size_t size, int advice)
{
	if (advice == MADV_DONTNEED && (uintptr_t)start - region_base < region_span)
		page_calls++;
	else if (advice == MADV_DONTNEED)
		record_calls++;
	return (int)syscall(SYS_madvise, start, size, advice);
}

static size_t allocate(size_t size)
{
	size_t count = PEAK / size < BLOCKS_MOST ? PEAK / size : BLOCKS_MOST;

	for (size_t i = 0; i < count; i++) {
		blocks[i] = strata_malloc(size);
		if (blocks[i] == NULL)
			fatal("no memory");
		*(volatile char *)blocks[i] = 1;
	}
	return count;
}

/* Where the system gives no locked memory back, each call is refused. */
static void refused_calls_are_few(size_t size, bool at_random)
{
	struct timespec begun, now;
	size_t count, scattered = 0;
	long calls, pauses;

	strata_os_pretend_locked(true);
	count = allocate(size);
	if (at_random)
		shuffle(blocks, count);
	clock_gettime(CLOCK_MONOTONIC, &begun);
	calls = strata_os_calls();
	for (size_t i = 0; i < count; i++)
		if (i % 97 > 20) {
			strata_free(blocks[i]);
			scattered++;
		}
	calls = strata_os_calls() - calls;
	clock_gettime(CLOCK_MONOTONIC, &now);
	pauses = (now.tv_sec - begun.tv_sec) * 10 + (now.tv_nsec - begun.tv_nsec) / 100000000 + 2;
	printf("locked: %zu blocks freed, %ld calls\n", scattered, calls);
	/* A few at most for each pause of 100 ms. */
	if (calls > 16 * pauses)
		fatal("purges that are refused are tried again and again");
}

/* What all was kept of goes by many arenas of 256 KiB a call, and so do their records. */
static void trim_joins_neighbours(size_t size, bool at_random)
{
	struct strata_option retain = {.type = STRATA_OPTION_BYTES, .number = 8 * PEAK};
	size_t count, trimmed;
	long calls;

	if (strata_option_set("retain", &retain) != 0)
		fatal("no setting");
	count = allocate(size);
	if (at_random)
		shuffle(blocks, count);
	for (size_t i = 0; i < count; i++)
		strata_free(blocks[i]);
	calls = strata_os_calls();
	trimmed = strata_trim();
	calls = strata_os_calls() - calls;
	printf("%zu-byte blocks, kept and trimmed: %zu MiB went in %ld calls\n", size, trimmed / MIB, calls);
	if (trimmed < PEAK)
		fatal("not all was kept");
	if ((size_t)calls > PEAK / (256 * KIB) / 8)
		fatal("a call for fewer than 8 arenas");
}

/* Holes below 64 KiB wait for the clock; the records of an arena go when all of it went. */
static void goes_in_large_pieces(size_t size, bool at_random)
{
	size_t count = allocate(size);
	uint64_t purged;

	if (at_random)
		shuffle(blocks, count);
	purged = totals().purged_bytes;
	page_calls = record_calls = 0;
	for (size_t i = 0; i < count; i++)
		strata_free(blocks[i]);
	purged = totals().purged_bytes - purged;
	printf("%zu-byte blocks freed %s: %llu MiB went in %zu calls, and records in %zu\n", size, at_random ? "at random" : "in order",
	       (unsigned long long)purged / MIB, page_calls, record_calls);
	if (purged < PEAK / 4)
		fatal("too little went back to tell");
	if (page_calls > purged / PIECE)
		fatal("a call for each %llu KiB", (unsigned long long)(purged / KIB) / page_calls);
	if (record_calls > purged / ARENA_SIZE)
		fatal("records go more often than arenas");
}

/* In a process of its own: one that has had such bursts may keep more. */
static void in_a_child(void (*test)(size_t, bool), size_t size, bool at_random)
{
	int status = 0;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		test(size, at_random);
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
	in_a_child(goes_in_large_pieces, 4 * KIB, false);
	in_a_child(goes_in_large_pieces, 16 * KIB, true);
	in_a_child(goes_in_large_pieces, 100 * KIB, false);
	in_a_child(trim_joins_neighbours, 4 * KIB, true);
	in_a_child(refused_calls_are_few, 3000, false);
	in_a_child(refused_calls_are_few, 100 * KIB, true);
	return 0;
}
