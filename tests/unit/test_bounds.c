/* SPDX-License-Identifier: MIT */
/*
 * Bounds that the README states: metadata, what a thread costs that makes one small allocation, kernel mappings.
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <strata/strata.h>
#include <strata/typed.h>

#include "support.h"
#include "typed_support.h"

#define THREADS 200
#define SLOTS 2000
#define MAPPINGS 100000

static size_t mappings(void)
{
	static char text[65536];
	size_t lines = 0;
	ssize_t count;
	int file = open("/proc/self/maps", O_RDONLY);

	while ((count = read(file, text, sizeof text)) > 0)
		for (ssize_t i = 0; i < count; i++)
			lines += text[i] == '\n';
	close(file);
	return lines;
}

/* What test says in the child of a fork. */
static size_t in_child(size_t (*test)(void))
{
	size_t said = 0;
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		said = test();
		_exit(write(ends[1], &said, sizeof said) != sizeof said);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &said, sizeof said), sizeof said);
	close(ends[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return said;
}

/* ---- A thread ------------------------------------------------------------------------------------------------------- */

static pthread_barrier_t gate;

static size_t one_size;

static void *allocate_once(void *unused)
{
	void *block;

	pthread_barrier_wait(&gate);
	pthread_barrier_wait(&gate);
	block = strata_malloc(one_size);
	if (block == NULL)
		fatal("no memory");
	memset(block, 1, one_size);
	pthread_barrier_wait(&gate);
	pthread_barrier_wait(&gate);
	strata_free(block);
	return unused;
}

static size_t bytes_of_threads(void)
{
	pthread_t threads[THREADS];
	size_t parked, bytes;

	pthread_barrier_init(&gate, NULL, THREADS + 1);
	for (size_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, allocate_once, NULL) != 0)
			fatal("no thread");
	pthread_barrier_wait(&gate);
	parked = resident_bytes();
	pthread_barrier_wait(&gate);
	pthread_barrier_wait(&gate);
	bytes = resident_bytes() - parked;
	pthread_barrier_wait(&gate);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	return bytes;
}

/* Sizes that malloc has classes for, and that only the native interface has. In a child each: heaps of threads that ended serve others. */
static void a_thread_with_one_small_block_costs_16_kib(void **state)
{
	const size_t sizes[] = {8, 16, 40, 48, 104, 240, 504};

	(void)state;
	/* Under check:1 each has a quarantine. */
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes && !checked_mode(); i++) {
		one_size = sizes[i];
		assert_true(in_child(bytes_of_threads) <= THREADS * 16 * KIB);
	}
}

/* ---- Metadata ------------------------------------------------------------------------------------------------------- */

static void metadata_is_at_most_2_percent_and_128_kib(void **state)
{
	const size_t sizes[] = {16, 64, 500, 5000, 100 * KIB, 3 * MIB};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		for (size_t bytes = 8 * MIB; bytes <= 32 * MIB; bytes *= 4) {
			struct strata_stats before;
			size_t resident, heap, metadata;
			void **chain = NULL;

			strata_trim();
			before = totals();
			resident = resident_bytes();
			for (size_t had = 0; had < bytes; had += sizes[i]) {
				void **block = strata_malloc(sizes[i]);

				assert_non_null(block);
				memset(block, 1, sizes[i]);
				*block = (void *)chain;
				chain = block;
			}
			heap = totals().heap_bytes - before.heap_bytes;
			resident = resident_bytes() - resident;
			metadata = resident > heap ? resident - heap : 0;
			if (!checked_mode())
				assert_true(metadata <= heap / 50 + 128 * KIB);
			while (chain != NULL) {
				void **next = (void **)*chain;

				strata_free(chain);
				chain = next;
			}
		}
	}
}

/* ---- Mappings ------------------------------------------------------------------------------------------------------- */

static void direct_mappings_cost_no_kernel_mappings(void **state)
{
	static char *blocks[SLOTS];
	static size_t sizes[SLOTS];
	uint64_t random = 4711;
	size_t before = mappings(), most = 0;

	(void)state;
	for (size_t step = 0; step < MAPPINGS; step++) {
		size_t at = random_below(&random, SLOTS);

		if (blocks[at] != NULL && (blocks[at][0] != (char)at || blocks[at][sizes[at] - 1] != (char)at))
			fatal("contents changed");
		strata_free(blocks[at]);
		sizes[at] = 2 * MIB + random_below(&random, 6 * MIB);
		blocks[at] = strata_malloc(sizes[at]);
		assert_non_null(blocks[at]);
		blocks[at][0] = blocks[at][sizes[at] - 1] = (char)at;
		if (step % 5000 == 0 && mappings() > most)
			most = mappings();
	}
	for (size_t at = 0; at < SLOTS; at++)
		strata_free(blocks[at]);
	assert_true(most <= before + 64);
}

static long faults(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_minflt;
}

/* A remapped block is a mapping of its own until it is freed, and so is what lies behind it. None of them is copied, of which each page
 * would be a fault. */
static void resized_mappings_are_given_back(void **state)
{
	static char *blocks[SLOTS];
	size_t before = mappings();
	const long faults_before = faults();

	(void)state;
	for (int round = 0; round < 4; round++)
		for (size_t at = 0; at < SLOTS; at++) {
			blocks[at] = strata_realloc(blocks[at], ((size_t)round * 2 + 2) * MIB + at);
			assert_non_null(blocks[at]);
			blocks[at][0] = (char)at;
		}
	assert_true(checked_mode() || mappings() <= before + 4 * SLOTS + 64);
	assert_true(checked_mode() || faults() - faults_before < 16L * SLOTS);
	for (size_t at = 0; at < SLOTS; at++) {
		assert_int_equal(blocks[at][0], (char)at);
		strata_free(blocks[at]);
	}
	strata_trim();
	assert_true(mappings() <= before + 64);
}

/* It comes to where there is room behind it, and to where there is none. */
static void a_block_that_grows_is_not_copied(void **state)
{
	static char *others[64];
	char *block = strata_malloc(MIB);
	const long faults_before = faults();

	(void)state;
	for (size_t size = 2 * MIB, step = 0; size <= 64 * MIB; size += MIB, step++) {
		others[step] = strata_malloc(step % 8 < 2 ? 2 * MIB : 64);
		block = strata_realloc(block, size);
		assert_non_null(block);
		block[0] = 1;
	}
	assert_true(checked_mode() || faults() - faults_before < 1000);
	strata_free(block);
	for (size_t i = 0; i < 64; i++)
		strata_free(others[i]);
}

/* By half as much again each time, though it grows by little: with a quarter it would be 19 times. */
static void a_block_that_has_to_move_moves_seldom(void **state)
{
	char *block = strata_malloc(4 * MIB), *behind = strata_malloc(4 * MIB);
	unsigned moves = 0;

	(void)state;
	assert_true(block && behind);
	for (size_t size = 5 * MIB; size <= 256 * MIB; size += MIB) {
		const uintptr_t place = (uintptr_t)block;

		block = strata_realloc(block, size);
		assert_non_null(block);
		moves += (uintptr_t)block != place;
	}
	assert_true(checked_mode() || (moves > 0 && moves <= 12));
	strata_free(block);
	strata_free(behind);
}

/* Of 65530 mappings that a process may have. Beyond so many, blocks are copied. */
#define REMAPPED 8192

static void at_most_8192_blocks_are_remapped(void **state)
{
	enum { BLOCKS = REMAPPED + 500 };
	static char *blocks[BLOCKS];
	size_t before = mappings();

	(void)state;
	if (checked_mode())
		skip();
	for (size_t round = 1; round <= 2; round++)
		for (size_t at = 0; at < BLOCKS; at++) {
			blocks[at] = strata_realloc(blocks[at], round * 700 * KIB);
			assert_non_null(blocks[at]);
			blocks[at][0] = (char)at;
		}
	assert_true(mappings() > before + REMAPPED);
	assert_true(mappings() <= before + 2 * REMAPPED + 64);
	for (size_t at = 0; at < BLOCKS; at++) {
		assert_int_equal(blocks[at][0], (char)at);
		strata_free(blocks[at]);
	}
	strata_trim();
	assert_true(mappings() <= before + 64);
}

enum { HOLES = 9600 };
static char *around[2 * HOLES], *growing[HOLES];

/* One after the other, and none is left: the hole that it was in is filled. */
static size_t remap_into_all_holes(void)
{
	for (size_t i = 0; i < HOLES; i++) {
		char *block = strata_realloc(growing[i], 700 * KIB);

		if (block == NULL || block[0] != (char)i)
			fatal("contents of a block changed");
		strata_free(block);
		around[2 * i] = strata_malloc(700 * KIB);
	}
	return mappings();
}

static char *written(size_t size, size_t number)
{
	char *block = strata_malloc(size);

	assert_non_null(block);
	block[0] = (char)number;
	return block;
}

/* There the kernel joins none that was freed with what lies beside it and was written to before the fork. */
static void in_a_child_those_that_were_freed_count(void **state)
{
	size_t before;

	(void)state;
	/* A page of each block is written to: of 4 KiB these are 115 MB. */
	if (checked_mode() || sysconf(_SC_PAGESIZE) > 4096)
		skip();
	for (size_t i = 0; i < 2 * HOLES; i++)
		around[i] = written(700 * KIB, i);
	for (size_t i = 0; i < HOLES; i++)
		growing[i] = written(512 * KIB, i);
	for (size_t i = 0; i < 2 * HOLES; i += 2)
		strata_free(around[i]);
	before = mappings();
	assert_true(in_child(remap_into_all_holes) <= before + 2 * REMAPPED + 64);
	for (size_t i = 0; i < HOLES; i++) {
		strata_free(growing[i]);
		strata_free(around[2 * i + 1]);
	}
}

enum { PARKED = 64 };
static strata_type *parked_type;

static void *park(void *unused)
{
	void *block = strata_malloc(40), *object = NULL;

	/* All stacks are there. */
	pthread_barrier_wait(&gate);
	if (parked_type != NULL)
		object = strata_type_alloc(parked_type);
	if (block == NULL || (parked_type != NULL && object == NULL))
		fatal("no memory");
	if (object != NULL)
		strata_type_free(parked_type, object);
	pthread_barrier_wait(&gate);
	pthread_barrier_wait(&gate);
	return unused;
}

static size_t mappings_with_parked_threads(void)
{
	pthread_t thread;

	pthread_barrier_init(&gate, NULL, PARKED + 1);
	for (size_t i = 0; i < PARKED; i++)
		if (pthread_create(&thread, NULL, park, NULL) != 0)
			fatal("no thread");
	pthread_barrier_wait(&gate);
	pthread_barrier_wait(&gate);
	return mappings();
}

/* The records of one lie beside those of the next. */
static void lists_of_a_thread_cost_no_kernel_mappings(void **state)
{
	strata_type *type = fixed("parked", 100);
	size_t without;

	(void)state;
	parked_type = NULL;
	without = in_child(mappings_with_parked_threads);
	parked_type = type;
	assert_true(in_child(mappings_with_parked_threads) <= without + PARKED / 4);
	unregister(type);
}

static void purged_holes_cost_no_kernel_mappings(void **state)
{
	const size_t count = 1024 * MIB / 2048;
	char **blocks = strata_malloc(count * sizeof *blocks);
	size_t before = mappings(), resident;

	(void)state;
	for (size_t i = 0; i < count; i++) {
		blocks[i] = strata_malloc(2048);
		assert_non_null(blocks[i]);
		/* One page in eight is enough for a hole to be made. */
		if (i % 16 < 2)
			memset(blocks[i], 1, 2048);
	}
	resident = resident_bytes();
	for (size_t i = 0; i < count; i++)
		if (i % 64 != 5)
			strata_free(blocks[i]);
	strata_trim();
	assert_true(mappings() <= before + 64);
	/* Of 128 MiB that were written. */
	assert_true(resident_bytes() < resident - (checked_mode() ? 0 : 64 * MIB));
	for (size_t i = 5; i < count; i += 64)
		strata_free(blocks[i]);
	strata_free(blocks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* The first: nothing is there that could go back meanwhile. */
		cmocka_unit_test(a_thread_with_one_small_block_costs_16_kib),
		/* The second: there are no other holes. */
		cmocka_unit_test(in_a_child_those_that_were_freed_count),
		cmocka_unit_test(metadata_is_at_most_2_percent_and_128_kib),
		cmocka_unit_test(direct_mappings_cost_no_kernel_mappings),
		cmocka_unit_test(resized_mappings_are_given_back),
		cmocka_unit_test(a_block_that_grows_is_not_copied),
		cmocka_unit_test(a_block_that_has_to_move_moves_seldom),
		cmocka_unit_test(at_most_8192_blocks_are_remapped),
		cmocka_unit_test(lists_of_a_thread_cost_no_kernel_mappings),
		cmocka_unit_test(purged_holes_cost_no_kernel_mappings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
