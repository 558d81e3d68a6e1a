/* SPDX-License-Identifier: MIT */
/* Nothing wrong here: what is wrong is in STRATA_OPTIONS. */
#include "misuse.h"

int main(void)
{
	pointer block = malloc(100);

	free(block);
	return 0;
}
