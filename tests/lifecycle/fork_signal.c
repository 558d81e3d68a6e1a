/* SPDX-License-Identifier: MIT */
/*
 * A signal comes at any instruction of malloc or free, and its handler forks, which POSIX allows (2017, 2.4.3). The
 * child only ends: it may not allocate. The parent goes on allocating where it was, and finds no block that is another's
 * as well. Once with one thread; then with two that take the signals, whose forks overlap, while a third one goes through
 * all heaps.
 */
#include "lifecycle.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/time.h>
#include <sys/wait.h>

enum { SIGNALS = 200, SIGNALS_TO_THREADS = 1500, TAKERS = 2, BLOCKS = 64 };

static atomic_int handled;
static atomic_bool stop;

static void fork_in_handler(int signal)
{
	const int saved = errno;
	const pid_t child = fork();
	int status;

	(void)signal;
	if (child == 0)
		_exit(0);
	while (waitpid(child, &status, 0) < 0)
		check(errno == EINTR);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	handled++;
	errno = saved;
}

/* ---- One thread ----------------------------------------------------------------------------------------------------- */

/* Comes once, after so many microseconds. */
static void signal_after(unsigned delay)
{
	const struct itimerval once = {{0, 0}, {0, (suseconds_t)delay}};

	check(setitimer(ITIMER_REAL, &once, NULL) == 0);
}

static void fork_alone(void)
{
	unsigned seed = 1;

	signal(SIGALRM, fork_in_handler);
	for (int i = 0; i < SIGNALS; i++) {
		signal_after(20 + next_random(&seed) % 500);
		while (handled == i)
			churn(51, 20);
	}
	churn(52, 1000);
}

/* ---- With others ---------------------------------------------------------------------------------------------------- */

/* Few sizes, again and again: the same bins are where a signal interrupts, and where the thread goes on. */
static void fill_and_empty(unsigned turn)
{
	unsigned *blocks[BLOCKS];

	for (unsigned i = 0; i < BLOCKS; i++) {
		blocks[i] = malloc(16 + i % 8 * 16);
		check(blocks[i] != NULL);
		blocks[i][0] = blocks[i][3] = turn ^ i;
	}
	for (unsigned i = 0; i < BLOCKS; i++) {
		check(blocks[i][0] == (turn ^ i) && blocks[i][3] == (turn ^ i));
		free(blocks[i]);
	}
}

static void *take_signals(void *number)
{
	for (unsigned turn = (unsigned)(uintptr_t)number << 24; !stop; turn += BLOCKS)
		fill_and_empty(turn);
	return NULL;
}

/* The signals are those threads'. */
static void *trim(void *number)
{
	for (unsigned turn = (unsigned)(uintptr_t)number << 24; !stop; turn += BLOCKS) {
		fill_and_empty(turn);
		malloc_trim(0);
	}
	return NULL;
}

static void fork_with_others(void)
{
	const struct sigaction action = {.sa_handler = fork_in_handler, .sa_flags = SA_RESTART};
	pthread_t threads[TAKERS + 1];

	check(sigaction(SIGUSR1, &action, NULL) == 0);
	for (uintptr_t i = 0; i < TAKERS + 1; i++)
		check(pthread_create(&threads[i], NULL, i < TAKERS ? take_signals : trim, (void *)i) == 0);
	for (unsigned i = 0; i < SIGNALS_TO_THREADS; i++) {
		check(pthread_kill(threads[i % TAKERS], SIGUSR1) == 0);
		usleep(300);
	}
	stop = 1;
	for (unsigned i = 0; i < TAKERS + 1; i++)
		check(pthread_join(threads[i], NULL) == 0);
}

int main(void)
{
	fork_alone();
	fork_with_others();
	return 0;
}
