/* SPDX-License-Identifier: MIT */
/* Frees a block of malloc's in a domain. */
#include "misuse_domain.h"

int main(void)
{
	pointer block = malloc(300);

	name_block(block);
	domain_free(STRATA_DOMAIN_OBJ, block);
	return 0;
}
