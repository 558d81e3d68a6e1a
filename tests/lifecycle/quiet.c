/* SPDX-License-Identifier: MIT */
/*
 * What strata writes goes to a pipe that nobody reads, or to a file that may not grow: the program gets no signal for it, nor loses one of
 * its own.
 */
#include "lifecycle.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>

static volatile sig_atomic_t signals;

static void count(int signal)
{
	(void)signal;
	signals++;
}

static void statistics_bring_no(int signal)
{
	sigset_t before, after;

	check(sigprocmask(SIG_SETMASK, NULL, &before) == 0);
	errno = 77;
	malloc_stats();
	check(errno == 77 && signals == 0);
	check(sigprocmask(SIG_SETMASK, NULL, &after) == 0);
	check(sigismember(&before, signal) == sigismember(&after, signal));
}

static void its_own_comes(int signal, int error)
{
	check(write(STDERR_FILENO, "x", 1) < 0 && errno == error && signals == 1);
	signals = 0;
	(void)signal;
}

/* One that waits because the program has blocked it, for another reason. */
static void what_waits_still_waits(int signal)
{
	sigset_t one, waiting;

	sigemptyset(&one);
	sigaddset(&one, signal);
	check(sigprocmask(SIG_BLOCK, &one, NULL) == 0 && raise(signal) == 0);
	statistics_bring_no(signal);
	check(sigpending(&waiting) == 0 && sigismember(&waiting, signal));
	check(sigprocmask(SIG_UNBLOCK, &one, NULL) == 0 && signals == 1);
	signals = 0;
}

static void bad_pipe(void)
{
	int ends[2];

	check(pipe(ends) == 0 && close(ends[0]) == 0 && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
}

static void full_file(void)
{
	struct rlimit limit;
	FILE *file = tmpfile();

	check(file != NULL && dup2(fileno(file), STDERR_FILENO) == STDERR_FILENO);
	check(getrlimit(RLIMIT_FSIZE, &limit) == 0);
	limit.rlim_cur = 0;
	check(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void go_through(int number, int error)
{
	sigset_t one;

	free(malloc(100));
	sigemptyset(&one);
	sigaddset(&one, number);
	check(sigprocmask(SIG_UNBLOCK, &one, NULL) == 0 && signal(number, count) != SIG_ERR);
	statistics_bring_no(number);
	its_own_comes(number, error);
	what_waits_still_waits(number);
	its_own_comes(number, error);
	/* What is written at the end, by settings. */
	check(signal(number, SIG_DFL) != SIG_ERR);
}

int main(int argc, char **argv)
{
	check(argc == 2);
	if (strcmp(argv[1], "pipe") == 0) {
		bad_pipe();
		go_through(SIGPIPE, EPIPE);
	} else {
		full_file();
		go_through(SIGXFSZ, EFBIG);
	}
	return 0;
}
