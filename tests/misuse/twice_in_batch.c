/* SPDX-License-Identifier: MIT */
/* Another thread frees a block twice, with one in between, before it hands them over: what it hands over is a ring. A child of a
 * fork, which counts what waits, comes to an end all the same. */
#include "by_another.h"

#include <sys/wait.h>
#include <unistd.h>

static void *free_twice(void *unused)
{
	free(blocks[0]);
	free(blocks[1]);
	free(blocks[2]);
	free(blocks[1]);
	return unused;
}

int main(void)
{
	pid_t child;
	int status;

	allocate_all(8);
	name_block(blocks[1]);
	by_another(free_twice, NULL);
	alarm(60);
	child = fork();
	if (child == 0)
		_exit(0);
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		return 2;
	malloc_trim(0);
	return 0;
}
