/* SPDX-License-Identifier: MIT */
/*
 * Keeps some blocks, asks for its heap profile by a signal, and ends. Knows nothing of strata, but as a second argument says has its
 * housekeeping done.
 */
#include "lifecycle.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>

enum { BLOCKS = 20000 };

static void *blocks[BLOCKS];

__attribute__((noinline)) void *allocate_what_stays(size_t size)
{
	void *volatile block = malloc(size);

	return block;
}

int main(int argc, char **argv)
{
	char path[64];
	void (*maintain)(void) = argc > 2 ? (void (*)(void))(uintptr_t)dlsym(RTLD_DEFAULT, "strata_maintain") : NULL;

	/* What walks stacks is there from the beginning (in a static program it is a part of that). */
	if (dlsym(RTLD_DEFAULT, "strata_profile_write") != NULL)
		check(dlopen("libgcc_s.so.1", RTLD_NOW | RTLD_NOLOAD) != NULL);
	for (int i = 0; i < BLOCKS; i++)
		check((blocks[i] = allocate_what_stays(1000)) != NULL);
	if (argc > 1) {
		check(raise(atoi(argv[1])) == 0);
		if (maintain)
			maintain();
		else
			free(allocate_what_stays(10));
		snprintf(path, sizeof path, "strata.%d.1.heap", (int)getpid());
		check(access(path, R_OK) == 0);
		for (int i = 0; i < BLOCKS; i++)
			free(blocks[i]);
	}
	return 0;
}
