/* SPDX-License-Identifier: MIT */
/*
 * Proves: under `ulimit -v 1048576` (1 GiB of address space) a program on strata starts; 8 threads allocate until NULL
 * and ENOMEM; all that they have keeps its contents; they free, and are served again, five times over. Under smaller limits a
 * program gets half of them and more, less one chunk of 16 MiB.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
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

/* The library must meet the limit at its start: the limit first, then the program once more. */
static _Noreturn void begin_under(size_t limit, const char *mark, char **arguments)
{
	if (setrlimit(RLIMIT_AS, &(struct rlimit){limit, limit}) != 0 || setenv(MARK, mark, 1) != 0)
		fatal("oom_limit: no limit: %s", strerror(errno));
	execv("/proc/self/exe", arguments);
	fatal("oom_limit: exec: %s", strerror(errno));
}

/* Blocks, linked, until there are no more; gives all back. Returns their bytes. */
static size_t allocate_and_free(size_t size)
{
	void **last = NULL;
	size_t bytes = 0;

	for (void **block; (block = malloc(size)) != NULL; bytes += size) {
		*block = last;
		last = block;
	}
	while (last != NULL) {
		void **next = *last;

		free(last);
		last = next;
	}
	return bytes;
}

/* The smaller ones once more, after what was asked for before. */
static void allocate_much(void)
{
	static const size_t sizes[] = {1000, 10 * MIB, 20 * MIB, 1000};
	struct rlimit limit;

	if (getrlimit(RLIMIT_AS, &limit) != 0)
		fatal("oom_limit: getrlimit");
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t bytes = allocate_and_free(sizes[i]);

		printf("oom_limit: %zu MiB in blocks of %zu under a limit of %zu MiB\n", bytes / MIB, sizes[i],
		       (size_t)limit.rlim_cur / MIB);
		if (bytes + sizes[i] < limit.rlim_cur / 2 - 16 * MIB)
			fatal("oom_limit: too little");
	}
}

static void *allocate_once(void *unused)
{
	void *block = malloc(100);

	if (block == NULL)
		fatal("oom_limit: nothing for a thread");
	pthread_barrier_wait(&together);
	free(block);
	return unused;
}

/* With small stacks, one for each MiB of the limit, all at a time. */
static void serve_many_threads(void)
{
	static pthread_t threads[1000];
	struct rlimit limit;
	pthread_attr_t attributes;
	size_t count;

	getrlimit(RLIMIT_AS, &limit);
	count = limit.rlim_cur / MIB;
	pthread_barrier_init(&together, NULL, (unsigned)count);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 32 * KIB);
	for (size_t i = 0; i < count; i++)
		if (pthread_create(&threads[i], &attributes, allocate_once, NULL) != 0)
			fatal("oom_limit: no thread %zu", i);
	for (size_t i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	printf("oom_limit: %zu threads under a limit of %zu MiB\n", count, (size_t)limit.rlim_cur / MIB);
}

static void run_under_small_limits(char **arguments)
{
	static const size_t limits[] = {64, 100, 128, 250, 400};

	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		int status;
		pid_t child = fork();

		if (child == 0)
			begin_under(limits[i] * MIB, "small", arguments);
		if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
			fatal("oom_limit: under %zu MiB", limits[i]);
	}
}

int main(int count, char **arguments)
{
	const char *mark = getenv(MARK);

	(void)count;
	if (mark == NULL) {
		run_under_small_limits(arguments);
		begin_under(LIMIT, "threads", arguments);
	}
	require_strata_serves_malloc();
	if (strcmp(mark, "small") == 0) {
		allocate_much();
		serve_many_threads();
	} else {
		run();
	}
	return 0;
}
