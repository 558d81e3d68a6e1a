/* SPDX-License-Identifier: MIT */
/* For programs that misuse typed free lists: the calls are looked up, since strata is preloaded. */
#ifndef STRATA_TESTS_TYPED_MISUSE_H
#define STRATA_TESTS_TYPED_MISUSE_H

#include "misuse.h"

#include <dlfcn.h>
#include <strata/typed.h>

#define CALL(name) ((__typeof__(&name))dlsym(RTLD_DEFAULT, #name))

static inline strata_type *new_type(const char *name, size_t size)
{
	struct strata_type_info info = {.name = name, .size = size};

	return CALL(strata_type_register)(&info, sizeof info);
}

static inline strata_type *new_tuple_type(void)
{
	struct strata_type_info info = {.name = "tuple", .shape = STRATA_TUPLE, .size = 16, .item_size = 8};

	return CALL(strata_type_register)(&info, sizeof info);
}

#endif
