/* SPDX-License-Identifier: MIT */
/* Frees a pointer into a block of a domain. */
#include "misuse_domain.h"

int main(void)
{
	pointer block = domain_malloc(STRATA_DOMAIN_OBJ, 300);

	block += 128;
	name_block(block);
	domain_free(STRATA_DOMAIN_OBJ, block);
	return 0;
}
