/* SPDX-License-Identifier: MIT */
/* misuse.h for programs that call by domain: like those beside it they are not linked with strata, but find it preloaded. */
#ifndef STRATA_TESTS_MISUSE_DOMAIN_H
#define STRATA_TESTS_MISUSE_DOMAIN_H

#include "misuse.h"

#include <dlfcn.h>
#include <strata/domain.h>

static inline void *function_of_strata(const char *name)
{
	void *function = dlsym(RTLD_DEFAULT, name);

	if (!function)
		exit(1);
	return function;
}

static inline void *domain_malloc(enum strata_domain domain, size_t size)
{
	return ((void *(*)(enum strata_domain, size_t))function_of_strata("strata_domain_malloc"))(domain, size);
}

static inline void *domain_realloc(enum strata_domain domain, void *block, size_t size)
{
	return ((void *(*)(enum strata_domain, void *, size_t))function_of_strata("strata_domain_realloc"))(domain, block,
	                                                                                                    size);
}

static inline void domain_free(enum strata_domain domain, void *block)
{
	((void (*)(enum strata_domain, void *))function_of_strata("strata_domain_free"))(domain, block);
}

#endif
