/* SPDX-License-Identifier: MIT */
/*
 * The built-in table of the domains: strata's blocks, counted, within the quota, and with the debug hooks where they are on.
 */
#ifndef STRATA_DOMAIN_BUILTIN_H
#define STRATA_DOMAIN_BUILTIN_H

#include "layout.h"

#include <strata/domain.h>

/* Sizes in the object tier are rounded up to this: objects have every 8-byte class, raw and buf the alignment of malloc. */
static inline size_t domain_multiple(unsigned domain)
{
	return domain == STRATA_DOMAIN_MEM || domain == STRATA_DOMAIN_OBJ ? 8 : 16;
}

/* NULL and ENOMEM on failure, as the public calls say. */
void *builtin_allocate(unsigned domain, size_t alignment, size_t size, bool zero);
void *builtin_zeroed(unsigned domain, size_t count, size_t size);
void *builtin_reallocate(unsigned domain, void *block, size_t size);
void builtin_free(unsigned domain, void *block);

/* The table for those who wrap it, and whether a table is that one. */
struct strata_domain_table builtin_table(unsigned domain);
bool is_builtin_table(unsigned domain, const struct strata_domain_table *table);

#endif
