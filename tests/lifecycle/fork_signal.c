/* SPDX-License-Identifier: MIT */
/*
 * A signal comes at any instruction of malloc or free, and its handler forks, which POSIX allows (2017, 2.4.3). The
 * child only ends: it may not allocate. The parent goes on allocating where it was.
 */
#include "lifecycle.h"

#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

enum { SIGNALS = 200 };

static volatile sig_atomic_t handled;

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

/* Comes once, after so many microseconds. */
static void signal_after(unsigned delay)
{
	const struct itimerval once = {{0, 0}, {0, (suseconds_t)delay}};

	check(setitimer(ITIMER_REAL, &once, NULL) == 0);
}

int main(void)
{
	unsigned seed = 1;

	signal(SIGALRM, fork_in_handler);
	for (sig_atomic_t i = 0; i < SIGNALS; i++) {
		signal_after(20 + next_random(&seed) % 500);
		while (handled == i)
			churn(51, 20);
	}
	churn(52, 1000);
	return 0;
}
