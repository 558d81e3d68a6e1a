/* SPDX-License-Identifier: MIT */
/*
 * Proves: whichever call to the operating system is refused, the first, the second and so on until the program runs
 * to its end without meeting the refusal, once or from then on: a request then gives NULL and ENOMEM or succeeds,
 * all that was allocated earlier keeps its contents, and service resumes when memory is back. Each attempt runs in a
 * child of its own, so that all begin in the same state. Linked with the test build of the library, in which
 * failures are injected.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <strata/strata.h>

#include "../unit/support.h"

void strata_os_fail_after(long calls);
void strata_os_fail_sticky(bool sticky);
long strata_os_calls(void);

enum { PIECES = 500, NOT_REACHED = 10, REACHED = 11, REFUSED = 12 };

static struct piece {
	void *block;
	size_t size;
} pieces[PIECES];

static bool refused;

/* NULL must come with ENOMEM. */
static void *had(void *block)
{
	if (block == NULL) {
		if (errno != ENOMEM)
			fatal("NULL with errno %d", errno);
		refused = true;
	}
	return block;
}

static void verify_all(const char *when)
{
	for (size_t i = 0; i < PIECES; i++)
		if (pieces[i].block != NULL && !pattern_ends_hold(pieces[i].block, pieces[i].size, i))
			fatal("%s: contents of block %zu (%zu bytes) changed", when, i, pieces[i].size);
}

/* All tiers in turn: mostly objects, then medium blocks, runs, and a few mappings. */
static size_t size_of(size_t i)
{
	if (i % 100 == 99)
		return 3 * MIB + i * 1000;
	if (i % 20 == 19)
		return MEDIUM_MAX + 1 + i * 300;
	if (i % 4 == 3)
		return OBJECT_MAX + 1 + i * 40 % (MEDIUM_MAX - OBJECT_MAX);
	return 1 + i * 7 % OBJECT_MAX;
}

static void *allocate(size_t i, size_t size)
{
	void *block;

	switch (i % 7) {
	case 0:
		block = strata_calloc(1, size);
		if (block != NULL && !all_zero(block, size))
			fatal("calloc(1, %zu) is not zero", size);
		return block;
	case 1:
		return strata_aligned_alloc((size_t)8 << i % 12, size);
	case 2:
		return strata_malloc_batch(size, 1, &block) == 1 ? block : NULL;
	default:
		return strata_malloc(size);
	}
}

static void fill(size_t first, size_t step)
{
	for (size_t i = first; i < PIECES; i += step) {
		if (pieces[i].block != NULL)
			continue;
		errno = 0;
		pieces[i].size = size_of(i);
		pieces[i].block = had(allocate(i, pieces[i].size));
		if (pieces[i].block != NULL)
			pattern_write_ends(pieces[i].block, pieces[i].size, i);
	}
}

static void resize(size_t step)
{
	for (size_t i = 0; i < PIECES; i += step) {
		size_t size = i % 2 ? pieces[i].size * 3 : pieces[i].size / 3 + 1;
		void *block;

		if (pieces[i].block == NULL)
			continue;
		errno = 0;
		block = had(strata_realloc(pieces[i].block, size));
		/* Refused: the old block stays as it was, which verify_all will see. */
		if (block == NULL)
			continue;
		pieces[i].block = block;
		pieces[i].size = size;
		pattern_write_ends(block, size, i);
	}
}

static void drop(size_t first, size_t step)
{
	for (size_t i = first; i < PIECES; i += step) {
		errno = 4711;
		strata_free(pieces[i].block);
		if (errno != 4711)
			fatal("free changed errno");
		pieces[i].block = NULL;
	}
}

/* A second thread's first calls, its frees of the first one's blocks, and its end. */
static void *second_thread(void *unused)
{
	drop(0, 5);
	fill(0, 3);
	return unused;
}

static void with_second_thread(void)
{
	pthread_t thread;

	/* Refused where libc gets no memory for its own part; the work is then done here. */
	if (pthread_create(&thread, NULL, second_thread, NULL) == 0)
		pthread_join(thread, NULL);
	else
		second_thread(NULL);
}

static void program(void)
{
	fill(0, 1);
	resize(3);
	verify_all("after growing and shrinking");
	drop(0, 2);
	strata_trim();
	with_second_thread();
	verify_all("after a second thread");
	fill(0, 1);
	strata_maintain();
}

/* Runs in a child; the status says how far it went. */
static int attempt(long n, bool sticky)
{
	struct strata_stats before, after;
	long calls = strata_os_calls();
	bool reached;

	strata_stats_read(&before, sizeof before);
	strata_os_fail_sticky(sticky);
	strata_os_fail_after(n);
	program();
	reached = strata_os_calls() - calls >= n;
	strata_os_fail_after(-1);
	strata_os_fail_sticky(false);
	if (!reached && refused)
		fatal("refused, although no call to the system was");
	verify_all("after the refusals");

	/* Service resumes: all of it succeeds now, twice, around a complete release. */
	for (int round = 0; round < 2; round++) {
		bool before_round = refused;

		refused = false;
		program();
		if (refused)
			fatal("refused after memory was back");
		verify_all("after memory was back");
		drop(0, 1);
		refused = before_round;
	}
	strata_stats_read(&after, sizeof after);
	/* libc may keep a few blocks for the thread that it made. */
	if (after.live_blocks > before.live_blocks + 8)
		fatal("%zu blocks live at the end, %zu at the beginning", (size_t)after.live_blocks,
		      (size_t)before.live_blocks);
	return !reached ? NOT_REACHED : refused ? REFUSED : REACHED;
}

static int attempt_in_child(long n, bool sticky)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		alarm(300);
		_exit(attempt(n, sticky));
	}
	if (pid < 0)
		fatal("fork: %s", strerror(errno));
	while (waitpid(pid, &status, 0) != pid)
		continue;
	if (!WIFEXITED(status) || WEXITSTATUS(status) < NOT_REACHED || WEXITSTATUS(status) > REFUSED)
		fatal("call %ld refused%s: status 0x%x", n, sticky ? ", and all after it" : "", (unsigned)status);
	return WEXITSTATUS(status);
}

int main(void)
{
	static char buffer[4096];

	setvbuf(stdout, buffer, _IOLBF, sizeof buffer);
	for (int sticky = 0; sticky < 2; sticky++) {
		long n = 1, seen = 0;
		int status;

		for (; (status = attempt_in_child(n, sticky)) != NOT_REACHED; n++)
			seen += status == REFUSED;
		printf("oom_nth: %s: %ld calls refused in turn, the program saw it %ld times\n",
		       sticky ? "from the n-th on" : "the n-th only", n - 1, seen);
		if (n == 1 || (sticky && seen == 0))
			fatal("no failure was injected");
	}
	return 0;
}
