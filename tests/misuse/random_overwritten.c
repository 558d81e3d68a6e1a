/* SPDX-License-Identifier: MIT */
/*
 * Nothing wrong here: the random bytes that the kernel gives each program are its own to overwrite, whatever strata made of
 * them before. Blocks of each interface are from before and freed after.
 */
#include "misuse_domain.h"
#include "typed_misuse.h"

#include <sys/auxv.h>

static void overwrite_random(void)
{
	char *random = (char *)(uintptr_t)getauxval(AT_RANDOM);

	for (size_t i = 0; random && i < 16; i++)
		write_at(random, i);
}

int main(void)
{
	strata_type *type = new_type("type", 40);
	pointer block = malloc(100), resized = malloc(100);
	pointer of_domain = domain_malloc(STRATA_DOMAIN_OBJ, 100);
	pointer object = CALL(strata_type_alloc)(type);

	overwrite_random();
	free(block);
	resized = realloc(resized, 100000);
	free(resized);
	of_domain = domain_realloc(STRATA_DOMAIN_OBJ, of_domain, 1000);
	domain_free(STRATA_DOMAIN_OBJ, of_domain);
	CALL(strata_type_free)(type, object);
	return 0;
}
