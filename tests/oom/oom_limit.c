/* SPDX-License-Identifier: MIT */
/*
 * Proves: under `ulimit -v 1048576` (1 GiB of address space) a program on strata starts; 8 threads allocate until NULL
 * and ENOMEM; all that they have keeps its contents; they free, and are served again, five times over.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../unit/support.h"

#define LIMIT (1024 * MIB)
#define THREADS 8
#define ROUNDS 5
#define MOST 20000
#define MARK "STRATA_TEST_LIMITED"

static struct piece {
	void *block;
	size_t size;
} pieces[THREADS][MOST];

static pthread_barrier_t together;

static size_t refusals[THREADS];

static void *had(void *block, size_t thread)
{
	if (block == NULL && errno != ENOMEM)
		fatal("oom_limit: NULL with errno %d", errno);
	refusals[thread] += block == NULL;
	return block;
}

/* Small ones first, then larger ones, of which only the ends are touched: the limit is on address space, and the
 * machine need not have as much memory. */
static size_t size_of(size_t i, uint64_t *random)
{
	return i < 2000 ? random_size(random, 64 * KIB) : 64 * KIB + random_size(random, 8 * MIB) * 16;
}

static size_t allocate_until_refused(size_t thread, uint64_t *random)
{
	size_t count = 0;

	for (; count < MOST; count++) {
		struct piece *piece = &pieces[thread][count];

		piece->size = size_of(count, random);
		errno = 0;
		piece->block = had(count % 5 ? malloc(piece->size) : calloc(1, piece->size), thread);
		if (piece->block == NULL)
			return count;
		if (count % 5 == 0 && !all_zero(piece->block, piece->size < 8192 ? piece->size : 8192))
			fatal("oom_limit: calloc(1, %zu) is not zero", piece->size);
		pattern_write_ends(piece->block, piece->size, count);
	}
	fatal("oom_limit: never refused");
}

static void check(const struct piece *piece, size_t i)
{
	if (!pattern_ends_hold(piece->block, piece->size, i))
		fatal("oom_limit: contents of a block of %zu bytes changed", piece->size);
}

/* Most of these are refused, and must leave the block as it is. */
static void grow(struct piece *piece, size_t i, size_t thread)
{
	size_t size = 600 * MIB;
	void *block;

	errno = 0;
	block = had(realloc(opaque_pointer(piece->block), size), thread);
	if (block == NULL)
		return;
	if (!pattern_holds(block, piece->size < 4096 ? piece->size : 4096, i))
		fatal("oom_limit: realloc lost contents of a block of %zu bytes", piece->size);
	*piece = (struct piece){block, size};
	pattern_write_ends(block, size, i);
}

static void verify(size_t thread, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		check(&pieces[thread][i], i);
		if (i % 16 == 0)
			grow(&pieces[thread][i], i, thread);
		check(&pieces[thread][i], i);
	}
}

static void rest(void)
{
	pthread_barrier_wait(&together);
}

static void *body(void *argument)
{
	size_t self = (size_t)argument;
	uint64_t random = self + 1;

	for (int round = 0; round < ROUNDS; round++) {
		size_t count = allocate_until_refused(self, &random);

		rest();
		verify(self, count);
		rest();
		/* Each frees what its neighbour has. */
		for (size_t i = 0; i < MOST && pieces[(self + 1) % THREADS][i].block != NULL; i++) {
			free(pieces[(self + 1) % THREADS][i].block);
			pieces[(self + 1) % THREADS][i].block = NULL;
		}
		rest();
		/* Everything is free: 8 times 16 MiB are no matter now, in whatever size. */
		for (size_t size = 16; size <= 16 * MIB; size *= 4) {
			void *block = malloc(size);

			if (block == NULL)
				fatal("oom_limit: all was freed, and %zu bytes are refused", size);
			pattern_write_ends(block, size, size);
			if (!pattern_ends_hold(block, size, size))
				fatal("oom_limit: contents of a block of %zu bytes changed", size);
			free(block);
		}
		rest();
	}
	return NULL;
}

static void run(void)
{
	pthread_t threads[THREADS];
	pthread_attr_t attributes;
	size_t total = 0;

	pthread_barrier_init(&together, NULL, THREADS);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 256 * KIB);
	for (size_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], &attributes, body, (void *)i) != 0)
			fatal("oom_limit: no thread");
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		total += refusals[i];
	}
	printf("oom_limit: %d threads refused %zu times under a limit of %zu MiB\n", THREADS, total, LIMIT / MIB);
}

int main(int count, char **arguments)
{
	(void)count;
	if (getenv(MARK) == NULL) {
		/* The library must meet the limit at its start: the limit first, then the program once more. */
		if (setrlimit(RLIMIT_AS, &(struct rlimit){LIMIT, LIMIT}) != 0 || setenv(MARK, "1", 1) != 0)
			fatal("oom_limit: no limit: %s", strerror(errno));
		execv("/proc/self/exe", arguments);
		fatal("oom_limit: exec: %s", strerror(errno));
	}
	require_strata_serves_malloc();
	run();
	return 0;
}
