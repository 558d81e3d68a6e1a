/* SPDX-License-Identifier: MIT */
/* The process's address space, and its limit. */
#ifndef STRATA_TESTS_ADDRESS_SPACE_H
#define STRATA_TESTS_ADDRESS_SPACE_H

#include "lifecycle.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define MIB ((size_t)1 << 20)

/* While other threads set it as well. */
static inline void set_limit(rlim_t bytes)
{
	const struct rlimit limit = {bytes, RLIM_INFINITY};

	check(setrlimit(RLIMIT_AS, &limit) == 0);
}

static inline void limit_to(rlim_t bytes)
{
	struct rlimit limit;

	set_limit(bytes);
	check(getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur == bytes);
}

static inline size_t address_space(void)
{
	size_t pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	check(file != NULL && fscanf(file, "%zu", &pages) == 1);
	fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Compilers leave out what is freed at once. */
static inline void make_the_reservation(void)
{
	void *volatile block = malloc(1);

	free(block);
}

static inline void wait_for_child(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		check(errno == EINTR);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#endif
