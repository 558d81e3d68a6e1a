/* SPDX-License-Identifier: MIT */
/* Goes on using the former place of a block of a domain that it has resized. */
#include "misuse_domain.h"

int main(void)
{
	pointer former = domain_malloc(STRATA_DOMAIN_OBJ, 40), block;

	name_block(former);
	block = domain_realloc(STRATA_DOMAIN_OBJ, former, 41);
	write_at(former, 0);
	domain_free(STRATA_DOMAIN_OBJ, block);
	return 0;
}
