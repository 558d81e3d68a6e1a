/* SPDX-License-Identifier: MIT */
/*
 * mlockall, present and future, after memory was used: what is reserved is not memory, so the resident size stays
 * below 64 MiB while little is allocated; and what is memory stays locked, whatever is moved and given back. Exit status 77:
 * mlockall is refused here.
 */
#include "lifecycle.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>

static long resident_kib(void)
{
	char line[256];
	long kib = -1;
	FILE *status = fopen("/proc/self/status", "r");

	check(status != NULL);
	while (fgets(line, sizeof line, status))
		if (strncmp(line, "VmRSS:", 6) == 0)
			kib = strtol(line + 6, NULL, 10);
	fclose(status);
	check(kib > 0);
	return kib;
}

/* Whether all writable memory is locked: "lo" among the flags of each mapping that has some. */
static int all_is_locked(void)
{
	char line[512];
	long resident = 0;
	int all = 1;
	FILE *maps = fopen("/proc/self/smaps", "r");

	check(maps != NULL);
	while (fgets(line, sizeof line, maps)) {
		sscanf(line, "Rss: %ld", &resident);
		if (strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " wr ") && resident > 0 && !strstr(line, " lo"))
			all = 0;
	}
	fclose(maps);
	return all;
}

static pthread_barrier_t asleep, awake;

static void *use_and_sleep(void *argument)
{
	churn((unsigned)(size_t)argument, 300);
	pthread_barrier_wait(&asleep);
	pthread_barrier_wait(&awake);
	return NULL;
}

/* A large block grows where it cannot stay, and what a sleeping thread has at hand is taken back. */
static void move_and_trim(void)
{
	pthread_t sleeper;
	char *block = malloc(3 << 20), *next = malloc(3 << 20);

	check(pthread_barrier_init(&asleep, NULL, 2) == 0 && pthread_barrier_init(&awake, NULL, 2) == 0);
	check(pthread_create(&sleeper, NULL, use_and_sleep, (void *)7) == 0);
	pthread_barrier_wait(&asleep);
	check(block && next && (block = realloc(block, 12 << 20)) != NULL);
	malloc_trim(0);
	check(all_is_locked());
	pthread_barrier_wait(&awake);
	check(pthread_join(sleeper, NULL) == 0);
	free(block);
	free(next);
}

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

/* What is freed goes back, where the system lets it (Linux 5.18). */
static void free_much(void)
{
	char *block = block_new(48 << 20);
	long with;

	for (size_t i = sizeof(size_t); i < 48 << 20; i += 4096)
		*(volatile char *)&block[i] = 1;
	with = resident_kib();
	block_free(block);
	malloc_trim(0);
	block = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(block != MAP_FAILED);
	if (madvise(block, 4096, MADV_DONTNEED_LOCKED) == 0)
		check(resident_kib() < with - (32 << 10));
	munmap(block, 4096);
	check(all_is_locked());
}

/* Nor does what was moved before the future is locked become resident whole when it is freed. False: mlockall is refused. */
static int free_moved(void)
{
	char *block = malloc(4 << 20), *next = malloc(4 << 20);
	const uintptr_t place = (uintptr_t)block;
	long with;

	check(block && next && (block = realloc(block, 40 << 20)) != NULL && (uintptr_t)block != place);
	if (mlockall(MCL_FUTURE) != 0)
		return 0;
	with = resident_kib();
	free(block);
	check(resident_kib() < with + (8 << 10));
	free(next);
	check(munlockall() == 0);
	return 1;
}

static void *use(void *argument)
{
	churn((unsigned)(size_t)argument, 300);
	return NULL;
}

int main(void)
{
	pthread_attr_t small_stack;
	pthread_t threads[4];

	/* A locked stack is resident whole. */
	check(pthread_attr_init(&small_stack) == 0 && pthread_attr_setstacksize(&small_stack, 256 << 10) == 0);
	churn(1, 300);
	if (!free_moved() || mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
		printf("skipped: mlockall: %s\n", strerror(errno));
		return 77;
	}
	churn(2, 300);
	for (size_t i = 0; i < 4; i++)
		check(pthread_create(&threads[i], &small_stack, use, (void *)(i + 1)) == 0);
	for (size_t i = 0; i < 4; i++)
		check(pthread_join(threads[i], NULL) == 0);
	move_and_trim();
	free_much();
	printf("resident: %ld KiB\n", resident_kib());
	check(resident_kib() < 64 << 10);
	return 0;
}
