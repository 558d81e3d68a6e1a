/* SPDX-License-Identifier: MIT */
/*
 * background:1, and a child that allows itself no further thread before it allocates, as servers sandbox the processes that they
 * fork: it is not ended for the library's thread. Exit status 77: no filter to be had here.
 */
#include "lifecycle.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

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

int main(void)
{
	int status;
	pid_t child;

	churn(1, 1000);
	child = fork();
	check(child >= 0);
	if (child == 0) {
		if (forbid_threads())
			_exit(77);
		churn(2, 20000);
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
