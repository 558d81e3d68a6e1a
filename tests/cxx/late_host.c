/* SPDX-License-Identifier: MIT */
/* A C program. Loads the plugin named by argv[1] with a local name space and runs it. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	void *const volatile block = malloc(100);
	void *plugin = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
	int (*run)(void) = plugin ? (int (*)(void))dlsym(plugin, "plugin_run") : NULL;
	int line;

	free(block);
	if (!run) {
		fprintf(stderr, "%s\n", dlerror());
		return 2;
	}
	line = run();
	if (line)
		fprintf(stderr, "failed: late_plugin.cc:%d\n", line);
	return line != 0;
}
