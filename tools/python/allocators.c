/* SPDX-License-Identifier: MIT */
/*
 * Preloaded with libstrata.so.0 by `strata-run --python`: gives CPython's domains raw, mem and object to strata's,
 * before the interpreter starts, so that pymalloc never asks for an arena. Does nothing in a program without CPython.
 *
 * A constructor is early enough and the only way: python3 as Debian builds it calls its own Py_BytesMain, which no
 * preloaded one can stand in for. PyMem_SetAllocator may be called before Py_PreInitialize, and only copies its
 * argument (https://docs.python.org/3/c-api/memory.html, .../init_config.html). PYTHONMALLOC and -X dev are read later, and win.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>

#include <strata/domain.h>

/* Python's, as documented since 3.5; declared here so that its headers are not needed. */
struct python_allocator { /* PyMemAllocatorEx */
	void *ctx;
	void *(*malloc)(void *ctx, size_t size);
	void *(*calloc)(void *ctx, size_t count, size_t size);
	void *(*realloc)(void *ctx, void *block, size_t size);
	void (*free)(void *ctx, void *block);
};

enum python_domain { PYTHON_RAW, PYTHON_MEM, PYTHON_OBJ }; /* PyMemAllocatorDomain */

typedef void python_set_allocator(enum python_domain domain, struct python_allocator *allocator);
typedef const char *python_get_version(void);

static enum strata_domain domain_of(void *ctx)
{
	return (enum strata_domain)(size_t)ctx;
}

/* Python's objects may hold what wants 16 bytes, also where their size is no multiple of 16: pymalloc aligns all of them
 * so. Does not wrap: Python refuses sizes above PTRDIFF_MAX before it asks. */
static size_t aligned_size(size_t size)
{
	return (size + 15) & ~(size_t)15;
}

static void *python_malloc(void *ctx, size_t size)
{
	return strata_domain_malloc(domain_of(ctx), aligned_size(size));
}

static void *python_calloc(void *ctx, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes) || bytes > PTRDIFF_MAX)
		return NULL;
	return strata_domain_calloc(domain_of(ctx), 1, aligned_size(bytes));
}

static void *python_realloc(void *ctx, void *block, size_t size)
{
	return strata_domain_realloc(domain_of(ctx), block, aligned_size(size));
}

static void python_free(void *ctx, void *block)
{
	strata_domain_free(domain_of(ctx), block);
}

/* Before 3.5 the structure had no calloc. A free-threaded build must keep its own: its collector walks that heap. */
static int suits(void)
{
	python_get_version *version = (python_get_version *)dlsym(RTLD_DEFAULT, "Py_GetVersion");
	int major, minor;

	return version != NULL && sscanf(version(), "%d.%d", &major, &minor) == 2 && major == 3 && minor >= 5 &&
	       dlsym(RTLD_DEFAULT, "_Py_MergeZeroLocalRefcount") == NULL;
}

__attribute__((constructor)) static void give_domains(void)
{
	static const enum strata_domain domains[] = {
		[PYTHON_RAW] = STRATA_DOMAIN_RAW,
		[PYTHON_MEM] = STRATA_DOMAIN_MEM,
		[PYTHON_OBJ] = STRATA_DOMAIN_OBJ,
	};
	python_set_allocator *set = (python_set_allocator *)dlsym(RTLD_DEFAULT, "PyMem_SetAllocator");

	if (set == NULL || !suits())
		return;
	for (int domain = PYTHON_RAW; domain <= PYTHON_OBJ; domain++)
		set(domain, &(struct python_allocator){(void *)(size_t)domains[domain], python_malloc, python_calloc,
		                                       python_realloc, python_free});
}
