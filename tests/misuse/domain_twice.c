/* SPDX-License-Identifier: MIT */
/* Frees a block of a domain twice. */
#include "misuse_domain.h"

int main(void)
{
	pointer block = domain_malloc(STRATA_DOMAIN_OBJ, 24);

	name_block(block);
	domain_free(STRATA_DOMAIN_OBJ, block);
	domain_free(STRATA_DOMAIN_OBJ, domain_malloc(STRATA_DOMAIN_OBJ, 24));
	domain_free(STRATA_DOMAIN_OBJ, block);
	return 0;
}
