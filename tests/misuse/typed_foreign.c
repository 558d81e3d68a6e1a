/* SPDX-License-Identifier: MIT */
/* Frees what is no block to a list. */
#include "typed_misuse.h"

int main(void)
{
	strata_type *type = new_type("object", 64);
	char here[64] = "";
	pointer object = here;

	name_block(object);
	CALL(strata_type_free)(type, object);
	return 0;
}
