/* SPDX-License-Identifier: MIT */
#include "driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *build_folder(void)
{
	const char *folder = getenv("top_builddir");

	return folder ? folder : ".";
}

static void set_preload(char *variable, size_t size)
{
	const char *library = getenv("STRATA_LIBRARY");

	if (library)
		snprintf(variable, size, "LD_PRELOAD=%s", library);
	else
		snprintf(variable, size, "LD_PRELOAD=%s/src/.libs/libstrata.so.0", build_folder());
}

/* Reads to the end of the file. A program that has more to say than fits is cut off. */
static void read_all(int file, char *text, size_t size)
{
	size_t used = 0;
	ssize_t count;

	while (used < size - 1 && (count = read(file, text + used, size - 1 - used)) != 0) {
		if (count > 0)
			used += (size_t)count;
		else if (errno != EINTR)
			break;
	}
	text[used] = '\0';
	close(file);
}

void driver_run(const char *program, const char *options, struct outcome *outcome)
{
	char path[4096], preload[4200], setting[512];
	char *arguments[] = {path, NULL};
	char *environment[] = {preload, options ? setting : NULL, NULL};
	posix_spawn_file_actions_t actions;
	int out[2], err[2];
	pid_t child;

	snprintf(path, sizeof path, "%s/tests/misuse/%s", build_folder(), program);
	snprintf(setting, sizeof setting, "STRATA_OPTIONS=%s", options ? options : "");
	set_preload(preload, sizeof preload);
	assert_int_equal(pipe(out), 0);
	assert_int_equal(pipe(err), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	posix_spawn_file_actions_adddup2(&actions, err[1], 2);
	for (int i = 0; i < 2; i++) {
		posix_spawn_file_actions_addclose(&actions, out[i]);
		posix_spawn_file_actions_addclose(&actions, err[i]);
	}
	assert_int_equal(posix_spawn(&child, path, &actions, NULL, arguments, environment), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(out[1]);
	close(err[1]);
	/* In this order: a program that never stops complaining ends here, of SIGPIPE. */
	read_all(err[0], outcome->errors, sizeof outcome->errors);
	read_all(out[0], outcome->output, sizeof outcome->output);
	assert_int_equal(waitpid(child, &outcome->status, 0), child);
	outcome->output[strcspn(outcome->output, "\n")] = '\0';
}

void driver_expect(const struct outcome *outcome, enum ending ending)
{
	if (ending == ABORTS) {
		assert_true(WIFSIGNALED(outcome->status));
		assert_int_equal(WTERMSIG(outcome->status), SIGABRT);
	} else {
		assert_true(WIFEXITED(outcome->status));
		assert_int_equal(WEXITSTATUS(outcome->status), 0);
	}
}

bool driver_begin(void)
{
	const struct rlimit no_core = {0, 0};
	char preload[4200];

	set_preload(preload, sizeof preload);
	if (access(strchr(preload, '=') + 1, R_OK) != 0) {
		printf("skipped: no shared library was built\n");
		return false;
	}
	setrlimit(RLIMIT_CORE, &no_core);
	return true;
}
