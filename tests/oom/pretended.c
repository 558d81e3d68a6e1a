/* SPDX-License-Identifier: MIT */
/*
 * Proves, with the test build of the library, whose system pretends: on pages of 16 and 64 KiB every block keeps its
 * contents, calloc gives zeros, and what is given back is whole pages of the system (a call that is not would be refused, or
 * take a neighbour's contents, as the kernel does); under strict overcommit, where making a reservation memory is what is
 * refused, NULL comes with ENOMEM, contents stay, and service resumes. Each in a child of its own, from its first call on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <strata/strata.h>

#include "../unit/support.h"

void strata_os_pretend_page_size(size_t size);
void strata_os_pretend_commit_limit(size_t bytes);

#define SLOTS 3000
#define STEPS 60000

static struct piece {
	void *block;
	size_t size;
} pieces[SLOTS];

static void replace(size_t i, uint64_t *random)
{
	struct piece *piece = &pieces[i];
	size_t size = i % 2 ? random_size(random, 100 * KIB) : random_below(random, i % 50 ? 30 * KIB : 2 * MIB) + 1;

	if (piece->block != NULL && !pattern_ends_hold(piece->block, piece->size, i))
		fatal("contents of a block of %zu bytes changed", piece->size);
	if (i % 7 == 0) {
		void *block = strata_realloc(piece->block, size);

		if (block == NULL)
			fatal("no memory");
		piece->block = block;
	} else {
		strata_free(piece->block);
		piece->block = i % 3 ? strata_malloc(size) : strata_calloc(1, size);
		if (piece->block == NULL)
			fatal("no memory");
		if (i % 3 == 0 && !all_zero(piece->block, size))
			fatal("calloc(1, %zu) is not zero", size);
	}
	piece->size = size;
	pattern_write_ends(piece->block, size, i);
}

static void free_all(void)
{
	for (size_t i = 0; i < SLOTS; i++) {
		if (pieces[i].block != NULL && !pattern_ends_hold(pieces[i].block, pieces[i].size, i))
			fatal("contents of a block of %zu bytes changed", pieces[i].size);
		strata_free(pieces[i].block);
		pieces[i].block = NULL;
	}
}

static void on_large_pages(size_t page)
{
	uint64_t random = page;
	size_t base = resident_bytes(), peak;

	strata_os_pretend_page_size(page);
	for (size_t step = 0; step < STEPS; step++) {
		replace(random_below(&random, SLOTS), &random);
		if (step % 5000 == 0)
			strata_trim();
	}
	peak = resident_bytes();
	free_all();
	strata_trim();
	if (resident_bytes() > base + (peak - base) / 2)
		fatal("%zu of %zu bytes stay resident", resident_bytes(), peak);
	printf("pretended: pages of %zu KiB: %zu KiB resident, then %zu\n", page / KIB, peak / KIB, resident_bytes() / KIB);
}

static void under_strict_overcommit(size_t bytes)
{
	strata_free(strata_malloc(1));
	strata_os_pretend_commit_limit(bytes);
	for (int round = 0; round < 3; round++) {
		size_t had = 0;
		size_t i = 0;

		for (; i < SLOTS; i++) {
			pieces[i].size = i % 3 ? 100 * KIB : MIB;
			errno = 0;
			pieces[i].block = strata_malloc(pieces[i].size);
			if (pieces[i].block == NULL)
				break;
			had += pieces[i].size;
			pattern_write_ends(pieces[i].block, pieces[i].size, i);
		}
		if (i == SLOTS || errno != ENOMEM || had > bytes + 2 * MIB || had < bytes / 2)
			fatal("%zu blocks of %zu bytes, errno %d", i, had, errno);
		free_all();
	}
	printf("pretended: strict overcommit\n");
}

static void in_child(void (*test)(size_t), size_t argument)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		alarm(300);
		test(argument);
		fflush(stdout);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) != pid)
		continue;
	if (status != 0)
		fatal("status 0x%x", (unsigned)status);
}

int main(void)
{
	fflush(stdout);
	in_child(on_large_pages, 4 * KIB);
	in_child(on_large_pages, 16 * KIB);
	in_child(on_large_pages, 64 * KIB);
	in_child(under_strict_overcommit, 96 * MIB);
	return 0;
}
