/* SPDX-License-Identifier: MIT */
/*
 * Runs a command and writes what it took: "ns N", "cpu_ns N" (user and system, with all that it waited for) and "peak_rss N"
 * (bytes; of the largest process among them). In C, because the peak that the kernel tells begins with what the process had
 * before it executed the command: here that is next to nothing. The exit status is the command's.
 *
 *   timed FILE COMMAND [ARGUMENT ...]
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

static uint64_t nanoseconds(struct timeval time)
{
	return (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_usec * 1000;
}

static int fail(const char *what)
{
	fprintf(stderr, "timed: %s: %s\n", what, strerror(errno));
	return 126;
}

static int write_figures(const char *path, uint64_t ns, const struct rusage *used)
{
	FILE *file = fopen(path, "w");

	if (file == NULL)
		return fail(path);
	fprintf(file, "ns %llu\ncpu_ns %llu\npeak_rss %llu\n", (unsigned long long)ns,
		(unsigned long long)(nanoseconds(used->ru_utime) + nanoseconds(used->ru_stime)),
		(unsigned long long)used->ru_maxrss * 1024);
	return fclose(file) == 0 ? 0 : fail(path);
}

int main(int argc, char **argv)
{
	struct rusage used;
	int status;

	if (argc < 3) {
		fputs("usage: timed FILE COMMAND [ARGUMENT ...]\n", stderr);
		return 126;
	}
	uint64_t begin = clock_ns();
	pid_t child = fork();

	if (child < 0)
		return fail("fork");
	if (child == 0) {
		execvp(argv[2], argv + 2);
		_exit(fail(argv[2]));
	}
	while (wait4(child, &status, 0, &used) < 0)
		if (errno != EINTR)
			return fail("wait4");
	int failed = write_figures(argv[1], clock_ns() - begin, &used);

	if (failed != 0)
		return failed;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
