/* SPDX-License-Identifier: MIT */
/*
 * Loads strata (argv[1]) with a local name space for its native interface and closes it while blocks and threads that
 * used it live on. malloc stays libc's all the while.
 */
#include "lifecycle.h"

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 4, COUNT = 500 };

static struct {
	void *(*malloc)(size_t);
	void *(*realloc)(void *, size_t);
	void (*free)(void *);
	size_t (*usable_size)(const void *);
} native;

static atomic_int filled;
static atomic_bool closed;

static void fill(char **blocks)
{
	for (size_t i = 0; i < COUNT; i++) {
		blocks[i] = native.malloc(i * 40 + 1);
		check(blocks[i] != NULL && native.usable_size(blocks[i]) >= i * 40 + 1);
		memset(blocks[i], (int)i, i * 40 + 1);
	}
}

static void empty(char **blocks)
{
	for (size_t i = 0; i < COUNT; i++) {
		for (size_t at = 0; at < i * 40 + 1; at += 39)
			check(blocks[i][at] == (char)i);
		blocks[i] = native.realloc(blocks[i], i * 60 + 1);
		check(blocks[i] != NULL && blocks[i][0] == (char)i);
		native.free(blocks[i]);
	}
}

/* Frees, allocates and ends after the library was closed. */
static void *use(void *unused)
{
	char *blocks[COUNT];

	fill(blocks);
	filled++;
	while (!closed)
		sched_yield();
	empty(blocks);
	fill(blocks);
	empty(blocks);
	churn(81, 100);
	return unused;
}

static void *load(void *library, const char *name)
{
	void *function = dlsym(library, name);

	check(function != NULL);
	return function;
}

int main(int argc, char **argv)
{
	void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
	void *before = malloc(1000), *libc_malloc = dlsym(RTLD_DEFAULT, "malloc");
	pthread_t threads[THREADS];

	if (!library)
		dprintf(2, "%s\n", dlerror());
	check(library != NULL);
	native.malloc = (void *(*)(size_t))load(library, "strata_malloc");
	native.realloc = (void *(*)(void *, size_t))load(library, "strata_realloc");
	native.free = (void (*)(void *))load(library, "strata_free");
	native.usable_size = (size_t(*)(const void *))load(library, "strata_usable_size");
	check(libc_malloc != load(library, "malloc"));
	for (size_t i = 0; i < THREADS; i++)
		check(pthread_create(&threads[i], NULL, use, NULL) == 0);
	while (filled < THREADS)
		sched_yield();
	check(dlclose(library) == 0);
	closed = 1;
	for (size_t i = 0; i < THREADS; i++)
		check(pthread_join(threads[i], NULL) == 0);
	free(before);
	return 0;
}
