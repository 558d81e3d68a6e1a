/* SPDX-License-Identifier: MIT */
/* Frees a block of no bytes from malloc as an object. */
#include "typed_misuse.h"

int main(void)
{
	strata_type *type = new_type("object", 64);
	pointer block = malloc(0);

	name_block(block);
	CALL(strata_type_free)(type, block);
	return 0;
}
