/* SPDX-License-Identifier: MIT */
/* Frees what was never allocated in a domain. */
#include "misuse_domain.h"

int main(void)
{
	char place[256] = "";
	pointer block = place + 128;

	name_block(block);
	domain_free(STRATA_DOMAIN_OBJ, block);
	return 0;
}
