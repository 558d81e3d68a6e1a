/* SPDX-License-Identifier: MIT */
/*
 * Something stands in front of libc's clock, of its number of the process, and of its system calls by number, as libfaketime, torsocks
 * and uid_wrapper do: it allocates in them, tells what is not so, and refuses what it does not know. The allocator asks none of them.
 */
#include "lifecycle.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static __thread bool in_front;
static volatile unsigned long calls;

static void stand_in_front(void)
{
	if (in_front)
		return;
	in_front = true;
	churn((unsigned)++calls, 50);
	in_front = false;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	(void)clock;
	stand_in_front();
	*now = (struct timespec){.tv_sec = 1000 - (time_t)(calls % 1000)};
	return 0;
}

pid_t getpid(void)
{
	stand_in_front();
	return 1;
}

pid_t getppid(void)
{
	stand_in_front();
	return 1;
}

/* liburcu asks for membarrier by it as it is loaded, and does without. */
long syscall(long number, ...)
{
	if (number != SYS_membarrier)
		stand_in_front();
	errno = ENOSYS;
	return -1;
}

static void *work(void *seed)
{
	for (unsigned i = 0; i < 20; i++)
		churn((unsigned)(uintptr_t)seed + i, 500);
	return NULL;
}

static void work_in_threads(void)
{
	pthread_t threads[4];

	for (size_t i = 0; i < 4; i++)
		check(pthread_create(&threads[i], NULL, work, (void *)(i * 1000)) == 0);
	for (size_t i = 0; i < 4; i++)
		check(pthread_join(threads[i], NULL) == 0);
}

int main(void)
{
	struct timespec now;
	pid_t child;
	int status;

	work_in_threads();
	child = fork();
	check(child >= 0);
	if (child == 0) {
		work_in_threads();
		_exit(calls == 0 ? 0 : 1);
	}
	check(waitpid(child, &status, 0) == child && status == 0);
	check(calls == 0);
	check(clock_gettime(CLOCK_MONOTONIC, &now) == 0 && getpid() == 1 && getppid() == 1 && syscall(SYS_gettid) == -1 && calls == 4);
	return 0;
}
