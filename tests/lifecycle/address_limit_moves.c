/* SPDX-License-Identifier: MIT */
/*
 * Limits on address space that come while memory is being moved. The kernel unmaps the place to go to before it finds that there is no
 * room. By argument, one of them; strata is preloaded, and this program has mremap in place of libc's.
 */
#include "address_space.h"

#include "../mremap.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static rlim_t limit_now(void)
{
	struct rlimit limit;

	check(syscall(SYS_prlimit64, 0, RLIMIT_AS, NULL, &limit) == 0);
	return limit.rlim_cur;
}

/* As from outside the process: the library does not see it coming. */
static void limit_unseen(rlim_t bytes)
{
	const struct rlimit limit = {bytes, RLIM_INFINITY};

	check(syscall(SYS_prlimit64, 0, RLIMIT_AS, &limit, NULL) == 0);
}

/* ---- A block ---------------------------------------------------------------------------------------------------------- */

static sem_t is_moving;
static volatile bool waits_for_a_limit; /* compilers know that realloc changes nothing of the program's */

/* It has some time to come now, if it can. */
static void wait_for_a_limit(void)
{
	waits_for_a_limit = false;
	sem_post(&is_moving);
	for (int i = 0; i < 20 && limit_now() == RLIM_INFINITY; i++)
		usleep(1000);
}

static void *set_one_meanwhile(void *unused)
{
	while (sem_wait(&is_moving) != 0)
		;
	set_limit(MIB);
	return unused;
}

static void a_block_is_moved_first(void)
{
	unsigned char *block = malloc(8 * MIB);
	void *volatile behind = malloc(8 * MIB);
	pthread_t thread;

	check(block != NULL && behind != NULL);
	memset(block, 1, 8 * MIB);
	sem_init(&is_moving, 0, 0);
	check(pthread_create(&thread, NULL, set_one_meanwhile, NULL) == 0);
	waits_for_a_limit = true;
	block = realloc(block, 64 * MIB);
	check(block != NULL && !waits_for_a_limit);
	check(pthread_join(thread, NULL) == 0 && limit_now() == MIB);
	for (size_t i = 0; i < 8 * MIB; i += 4096)
		check(block[i] == 1);
	set_limit(RLIM_INFINITY);
	free(block);
	free(behind);
}

/* ---- Caches of threads that sleep --------------------------------------------------------------------------------------- */

enum { SLEEPERS = 4, BLOCKS = 20000, MOVES = 12 };

static pthread_barrier_t asleep, awake;
static volatile int limited_move = -1; /* the move that meets a limit, counted from the present one */
static bool is_over;

static void *sleep_after_work(void *kept)
{
	uint64_t **blocks = kept;

	for (;;) {
		for (int round = 0; round < 4; round++) {
			for (uint64_t i = 0; i < BLOCKS; i++) {
				check((blocks[i] = malloc(64)) != NULL);
				*blocks[i] = i;
			}
			for (uint64_t i = 0; i < BLOCKS; i++) {
				check(*blocks[i] == i);
				free(blocks[i]);
			}
		}
		pthread_barrier_wait(&asleep);
		pthread_barrier_wait(&awake);
		if (is_over)
			return NULL;
	}
}

static void caches_that_cannot_be_moved_stay(void)
{
	static uint64_t *blocks[SLEEPERS][BLOCKS];
	pthread_t threads[SLEEPERS];

	pthread_barrier_init(&asleep, NULL, SLEEPERS + 1);
	pthread_barrier_init(&awake, NULL, SLEEPERS + 1);
	for (int i = 0; i < SLEEPERS; i++)
		check(pthread_create(&threads[i], NULL, sleep_after_work, blocks[i]) == 0);
	for (int move = 0; move < MOVES; move++) {
		pthread_barrier_wait(&asleep);
		limited_move = move;
		malloc_trim(0);
		limited_move = -1;
		limit_unseen(RLIM_INFINITY);
		is_over = move == MOVES - 1;
		pthread_barrier_wait(&awake);
	}
	for (int i = 0; i < SLEEPERS; i++)
		check(pthread_join(threads[i], NULL) == 0);
}

/* ---- A fork in the middle ----------------------------------------------------------------------------------------------- */

enum { FORKS = 50, LARGE = 6 };

static volatile int places; /* to which memory was moved */
static volatile sig_atomic_t forks;
static volatile sig_atomic_t is_child;

static void fork_here(int signal)
{
	int status;
	pid_t child;

	(void)signal;
	if (is_child || forks == FORKS)
		return;
	child = fork();
	if (child == 0) {
		is_child = 1;
		return;
	}
	while (waitpid(child, &status, 0) < 0)
		check(errno == EINTR);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	forks++;
}

/* Neighbours: not all of them find room where they are. */
static bool something_moves(void)
{
	void *blocks[LARGE];
	const int before = places;

	for (int i = 0; i < LARGE; i++)
		check((blocks[i] = malloc(16 * MIB)) != NULL);
	for (int i = 0; i < LARGE; i++)
		check((blocks[i] = realloc(blocks[i], 32 * MIB)) != NULL);
	for (int i = 0; i < LARGE; i++)
		free(blocks[i]);
	return places != before;
}

/* A signal comes, mostly, when a system call returns. */
static void a_child_moves_as_before(void)
{
	const struct itimerval often = {{0, 300}, {0, 300}};
	struct rlimit limit;

	check(something_moves());
	check(getrlimit(RLIMIT_DATA, &limit) == 0);
	check(signal(SIGALRM, fork_here) != SIG_ERR && setitimer(ITIMER_REAL, &often, NULL) == 0);
	while (forks < FORKS) {
		check(setrlimit(RLIMIT_DATA, &limit) == 0);
		if (is_child)
			_exit(something_moves() ? 0 : 1);
	}
}

/* ---- All -------------------------------------------------------------------------------------------------------------- */

static int moves; /* that met one */

static bool before_mremap(size_t old_size, size_t new_size, int flags, void *to)
{
	bool limited = flags & MREMAP_DONTUNMAP && limited_move-- == 0;

	(void)old_size, (void)new_size, (void)to;
	if (flags & MREMAP_FIXED)
		places++;
	if (flags & MREMAP_DONTUNMAP && waits_for_a_limit)
		wait_for_a_limit();
	if (limited) {
		moves++;
		limit_unseen(MIB);
	}
	return true;
}

int main(int argc, char **argv)
{
	check(argc == 2);
	if (strcmp(argv[1], "block") == 0) {
		a_block_is_moved_first();
	} else if (strcmp(argv[1], "fork") == 0) {
		a_child_moves_as_before();
	} else {
		caches_that_cannot_be_moved_stay();
		check(moves > 0);
	}
	puts("fine");
	return 0;
}
