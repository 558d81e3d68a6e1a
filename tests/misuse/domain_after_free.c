/* SPDX-License-Identifier: MIT */
/* Writes to a block of a domain that it has freed. */
#include "misuse_domain.h"

int main(void)
{
	pointer block = domain_malloc(STRATA_DOMAIN_RAW, 200);

	name_block(block);
	domain_free(STRATA_DOMAIN_RAW, block);
	write_at(block, 17);
	return 0;
}
