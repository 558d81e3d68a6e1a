/* SPDX-License-Identifier: MIT */
/* Writes the byte in front of a block of a domain. */
#include "misuse_domain.h"

int main(void)
{
	pointer block = domain_malloc(STRATA_DOMAIN_MEM, 100);

	name_block(block);
	write_at(block, (size_t)-1);
	domain_free(STRATA_DOMAIN_MEM, block);
	return 0;
}
