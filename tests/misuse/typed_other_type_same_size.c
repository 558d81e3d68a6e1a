/* SPDX-License-Identifier: MIT */
/* Frees an object to the list of a type of the same size. */
#include "typed_misuse.h"

int main(void)
{
	strata_type *type = new_type("object", 64), *other = new_type("other", 64);
	pointer object = CALL(strata_type_alloc)(type);

	name_block(object);
	CALL(strata_type_free)(other, object);
	return 0;
}
