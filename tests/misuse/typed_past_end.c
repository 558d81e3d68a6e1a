/* SPDX-License-Identifier: MIT */
/* Writes one byte past an object. */
#include "typed_misuse.h"

int main(void)
{
	strata_type *type = new_type("object", 40);
	pointer object = CALL(strata_type_alloc)(type);

	name_block(object);
	write_at(object, 40);
	CALL(strata_type_free)(type, object);
	return 0;
}
