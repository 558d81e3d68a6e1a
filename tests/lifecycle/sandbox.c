/* SPDX-License-Identifier: MIT */
/*
 * background:1, and a child that allows itself no further thread before it allocates, as servers sandbox the processes that they
 * fork: it is not ended for the library's thread. With an argument it is the program that sets background, before it forks. Exit
 * status 77: no filter to be had here.
 */
#include "lifecycle.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
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

static int forbid_threads(void)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
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

int main(int argc, char **argv)
{
	int status;
	pid_t child;

	(void)argv;
	churn(1, 1000);
	if (argc > 1)
		set_background();
	child = fork();
	check(child >= 0);
	if (child == 0) {
		if (forbid_threads())
			_exit(77);
		churn(2, 20000);
		/* In a static program malloc's callers cannot be told from libc, and begin no thread. This does. */
		check(strata_maintain != NULL);
		strata_maintain();
		_exit(0);
	}
	status = wait_for(child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		return 77;
	check(status == 0);
	/* That the filter ends who begins a thread. */
	child = fork();
	check(child >= 0);
	if (child == 0) {
		if (forbid_threads() == 0)
			fork();
		_exit(0);
	}
	check(WIFSIGNALED(wait_for(child)));
	return 0;
}
