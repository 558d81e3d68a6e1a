/* SPDX-License-Identifier: MIT */
/* Frees an object twice, another one in between; found when the list goes to the tier below. */
#include "typed_misuse.h"

int main(void)
{
	strata_type *type = new_type("object", 64);
	pointer object = CALL(strata_type_alloc)(type);
	pointer other = CALL(strata_type_alloc)(type);

	name_block(object);
	CALL(strata_type_free)(type, object);
	CALL(strata_type_free)(type, other);
	CALL(strata_type_free)(type, object);
	CALL(strata_trim)();
	return 0;
}
