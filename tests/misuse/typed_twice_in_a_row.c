/* SPDX-License-Identifier: MIT */
/* Frees an object twice, nothing in between. */
#include "typed_misuse.h"

int main(void)
{
	strata_type *type = new_type("object", 64);
	pointer object = CALL(strata_type_alloc)(type);

	name_block(object);
	CALL(strata_type_free)(type, object);
	CALL(strata_type_free)(type, object);
	return 0;
}
