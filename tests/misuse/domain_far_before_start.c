/* SPDX-License-Identifier: MIT */
/* Overwrites all that lies in front of a block of a domain. */
#include "misuse_domain.h"

int main(void)
{
	pointer block = domain_malloc(STRATA_DOMAIN_MEM, 100);

	name_block(block);
	for (size_t distance = 1; distance <= 64; distance++)
		write_at(block, -distance);
	domain_free(STRATA_DOMAIN_MEM, block);
	return 0;
}
