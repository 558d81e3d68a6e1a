/* SPDX-License-Identifier: MIT */
/* Writes 3 bytes behind a block of a domain, and resizes it. */
#include "misuse_domain.h"

int main(void)
{
	pointer block = domain_malloc(STRATA_DOMAIN_BUF, 1000);

	name_block(block);
	write_at(block, 1002);
	block = domain_realloc(STRATA_DOMAIN_BUF, block, 2000);
	return 0;
}
