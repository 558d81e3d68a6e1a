/* SPDX-License-Identifier: MIT */
/* The same, and goes on until the block would be used again. */
#include "misuse_domain.h"

int main(void)
{
	pointer block = domain_malloc(STRATA_DOMAIN_RAW, 200);

	name_block(block);
	domain_free(STRATA_DOMAIN_RAW, block);
	write_at(block, 17);
	for (int i = 0; i < 100; i++)
		domain_free(STRATA_DOMAIN_RAW, domain_malloc(STRATA_DOMAIN_RAW, 50000));
	return 0;
}
