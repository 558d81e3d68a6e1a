/* SPDX-License-Identifier: MIT */
/*
 * A machine of several nodes, for the test build of the library: a file of the test's own says which nodes there are, and a
 * function on which of them a thread runs. What there is is learnt at the first call, which is before main: the program begins
 * itself again.
 */
#ifndef STRATA_TESTS_UNIT_NUMA_SUPPORT_H
#define STRATA_TESTS_UNIT_NUMA_SUPPORT_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

void strata_os_pretend_node(int (*node)(void));

/* What the calling thread pretends. Before main it ran on a node of the machine's, likely 0: no test uses that one. */
static _Thread_local int node_now;

static int pretended_node(void)
{
	return node_now;
}

#define NODES_FOLDER "/sys/devices/system/node"
#define NODES_PATH_BYTES 128

/* Below root, which is made; the list NULL: there is no such file. */
static inline void make_nodes(char *root, const char *list)
{
	static const char *const folders[] = {"/sys", "/sys/devices", "/sys/devices/system", NODES_FOLDER};
	char path[NODES_PATH_BYTES];
	FILE *file;

	if (mkdtemp(root) == NULL)
		fatal("no directory can be made");
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		snprintf(path, sizeof path, "%s%s", root, folders[i]);
		mkdir(path, 0700);
	}
	if (list == NULL)
		return;
	snprintf(path, sizeof path, "%s" NODES_FOLDER "/has_cpu", root);
	file = fopen(path, "w");
	if (file == NULL || fputs(list, file) < 0 || fclose(file) != 0)
		fatal("cannot write %s", path);
}

static inline void remove_nodes(const char *root)
{
	static const char *const names[] = {NODES_FOLDER "/has_cpu", NODES_FOLDER, "/sys/devices/system", "/sys/devices",
	                                    "/sys", ""};
	char path[NODES_PATH_BYTES];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s%s", root, names[i]);
		remove(path);
	}
}

/* The status of this program begun again with the argument, on a machine that has these nodes. */
static inline int run_on_nodes(const char *list, const char *settings, const char *argument)
{
	char root[] = "/tmp/strata-numa-XXXXXX";
	int status = -1;
	pid_t child;

	make_nodes(root, list);
	fflush(stdout);
	child = fork();
	if (child == 0) {
		setenv("STRATA_TEST_ROOT", root, 1);
		setenv("STRATA_OPTIONS", settings, 1);
		execl("/proc/self/exe", "on_nodes", argument, (char *)NULL);
		_exit(126);
	}
	while (child < 0 || waitpid(child, &status, 0) != child)
		continue;
	remove_nodes(root);
	return status;
}

#endif
