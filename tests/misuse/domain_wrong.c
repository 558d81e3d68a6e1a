/* SPDX-License-Identifier: MIT */
/* Frees a block in a domain that is not its own. */
#include "misuse_domain.h"

int main(void)
{
	pointer block = domain_malloc(STRATA_DOMAIN_RAW, 300);

	name_block(block);
	domain_free(STRATA_DOMAIN_OBJ, block);
	return 0;
}
