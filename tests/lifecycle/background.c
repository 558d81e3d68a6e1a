/* SPDX-License-Identifier: MIT */
/*
 * background:1. The thread is there once the program has allocated enough, is named, and takes no signal; what the program
 * freed goes back without another call; a forked child has a thread of its own, and both processes end in order. Waits for
 * what must come. argv[1] "none": without the setting there is no thread.
 */
#include "lifecycle.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCKS = 20000 };

/* The number of the thread with that name, 0 if there is none; and how many threads there are. */
static int find_thread(const char *wanted, int *count)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *task;
	int found = 0;

	check(tasks != NULL);
	*count = 0;
	while ((task = readdir(tasks)) != NULL) {
		char path[300], name[32] = "";
		FILE *file;

		if (task->d_name[0] == '.')
			continue;
		++*count;
		snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
		if ((file = fopen(path, "r")) == NULL)
			continue;
		if (fgets(name, sizeof name, file) && strcspn(name, "\n") == strlen(wanted) &&
		    memcmp(name, wanted, strlen(wanted)) == 0)
			found = atoi(task->d_name);
		fclose(file);
	}
	closedir(tasks);
	return found;
}

static unsigned long long blocked_signals(int thread)
{
	char path[64], line[200];
	unsigned long long blocked = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/self/task/%d/status", thread);
	check((file = fopen(path, "r")) != NULL);
	while (fgets(line, sizeof line, file))
		sscanf(line, "SigBlk: %llx", &blocked);
	fclose(file);
	return blocked;
}

static long resident_kib(void)
{
	char line[200];
	long kib = 0;
	FILE *file = fopen("/proc/self/status", "r");

	check(file != NULL);
	while (fgets(line, sizeof line, file))
		sscanf(line, "VmRSS: %ld", &kib);
	fclose(file);
	return kib;
}

static char *blocks[BLOCKS];

static void allocate(void)
{
	for (unsigned i = 0; i < BLOCKS; i++)
		blocks[i] = block_new(100 + i % 3000);
}

static void free_all(void)
{
	for (unsigned i = 0; i < BLOCKS; i++)
		block_free(blocks[i]);
}

static void allocate_and_free(void)
{
	allocate();
	free_all();
}

static void expect_thread(void)
{
	int count, thread;

	while ((thread = find_thread("strata", &count)) == 0) {
		allocate_and_free();
		usleep(1000);
	}
	check(count == 2);
	/* All but SIGKILL, SIGSTOP, and those that libc keeps. */
	check((blocked_signals(thread) | 1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1) | 3ull << 31) == ~0ull);
}

/* operator new(unsigned long); weak: the program runs without strata as well. */
extern void *_Znwm(size_t size) __attribute__((weak));

/* By one function alone: its slow path begins the thread. What libc allocates meanwhile does not. */
static void expect_thread_by(const char *function)
{
	void *block = realpath("/", NULL);
	int count;

	for (int i = 0; i < 1000; i++) {
		if (strcmp(function, "new") == 0)
			block = _Znwm(100);
		else if (strcmp(function, "calloc") == 0)
			block = calloc(1, 100000);
		else if (strcmp(function, "realloc") == 0)
			block = realloc(block, (size_t)(i + 1) * 1000);
		else if (strcmp(function, "posix_memalign") == 0)
			check(posix_memalign(&block, 16, 3000) == 0);
		else
			block = aligned_alloc(4096, 8192);
		check(block != NULL);
	}
	while (find_thread("strata", &count) == 0)
		usleep(1000);
}

static volatile int is_copy;

/* What ends the thread, by the library: where there is none it would wait for it in vain. */
int pthread_timedjoin_np(pthread_t thread, void **result, const struct timespec *deadline)
{
	int (*libc)(pthread_t, void **, const struct timespec *) =
	    (int (*)(pthread_t, void **, const struct timespec *))dlsym(RTLD_NEXT, "pthread_timedjoin_np");

	check(!is_copy);
	return libc(thread, result, deadline);
}

static void wait_for(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		check(errno == EINTR);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void expect_memory_back(void)
{
	long most;

	allocate();
	most = resident_kib();
	check(most > 24 * 1024);
	free_all();
	/* No call of malloc from here on, but for those of stdio. The setting retain is so large that nothing of it went back
	 * as it was freed. */
	while (resident_kib() > most - 20 * 1024)
		usleep(20000);
}

int main(int argc, char **argv)
{
	int count;
	pid_t child;

	if (argc > 1 && strcmp(argv[1], "none") == 0) {
		allocate_and_free();
		check(find_thread("strata", &count) == 0 && count == 1);
		return 0;
	}
	alarm(600);
	if (argc > 1) {
		expect_thread_by(argv[1]);
		return 0;
	}
	expect_thread();
	expect_memory_back();
	child = fork();
	check(child >= 0);
	if (child == 0) {
		expect_thread();
		exit(0);
	}
	wait_for(child);
	/* A copy of which no handler of a fork knows. */
	child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	check(child >= 0);
	if (child == 0) {
		is_copy = 1;
		exit(0);
	}
	wait_for(child);
	expect_thread();
	return 0;
}
