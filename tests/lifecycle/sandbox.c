/* SPDX-License-Identifier: MIT */
/*
 * background:1, and a child that allows itself no further thread before it allocates, as servers sandbox the processes that they
 * fork: it is not ended for the library's thread. With "by_call" it is the program that sets background, before it forks. With
 * "no_files" the child allows itself to open no file, as is promised with cgroup:off and numa:off. Exit status 77: no filter to be had
 * here.
 */
#include "lifecycle.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <strata/strata.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Weak: preloaded, they are found when the program starts. */
extern __typeof__(strata_option_set) strata_option_set __attribute__((weak));
extern __typeof__(strata_maintain) strata_maintain __attribute__((weak));

static void set_background(void)
{
	const struct strata_option on = {.type = STRATA_OPTION_FLAG, .number = 1};

	check(strata_option_set != NULL);
	check(strata_option_set("background", &on) == 0);
}

/* Whoever makes one of the two calls is ended. */
static int forbid(unsigned one, unsigned other)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, one, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, other, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog filter = {sizeof program / sizeof *program, program};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

static int wait_for(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		check(errno == EINTR);
	return status;
}

static int forbid_threads(void)
{
	return forbid(SYS_clone, SYS_clone3);
}

static int forbid_files(void)
{
	return forbid(SYS_openat, SYS_openat);
}

/* With enough memory, and long enough, for the library to look around. */
static void keep_house(void)
{
	static char *blocks[300];

	for (unsigned i = 0; i < 300; i++)
		blocks[i] = block_new(100000 + i);
	for (unsigned turn = 0; turn < 30; turn++) {
		churn(turn + 3, 100);
		usleep(1000);
		strata_maintain();
	}
	for (unsigned i = 0; i < 300; i++)
		block_free(blocks[i]);
}

int main(int argc, char **argv)
{
	int status;
	pid_t child;

	bool files = argc > 1 && strcmp(argv[1], "no_files") == 0;
	int (*enter)(void) = files ? forbid_files : forbid_threads;

	churn(1, 1000);
	if (argc > 1 && !files)
		set_background();
	child = fork();
	check(child >= 0);
	if (child == 0) {
		if (enter())
			_exit(77);
		churn(2, 20000);
		/* In a static program malloc's callers cannot be told from libc, and begin no thread. This does. */
		check(strata_maintain != NULL);
		strata_maintain();
		if (files)
			keep_house();
		_exit(0);
	}
	status = wait_for(child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		return 77;
	check(status == 0);
	/* That the filter ends who begins a thread, or opens a file. */
	child = fork();
	check(child >= 0);
	if (child == 0) {
		if (enter() == 0) {
			if (files)
				open("/dev/null", O_RDONLY);
			else
				fork();
		}
		_exit(0);
	}
	check(WIFSIGNALED(wait_for(child)));
	return 0;
}
