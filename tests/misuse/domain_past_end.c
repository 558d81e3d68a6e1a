/* SPDX-License-Identifier: MIT */
/* Writes the byte behind a block of a domain. */
#include "misuse_domain.h"

int main(void)
{
	pointer block = domain_malloc(STRATA_DOMAIN_OBJ, 40);

	name_block(block);
	write_at(block, 40);
	domain_free(STRATA_DOMAIN_OBJ, block);
	return 0;
}
