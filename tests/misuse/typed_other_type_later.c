/* SPDX-License-Identifier: MIT */
/* Frees an object to the list of a type of another size, which has room; found when it leaves the list. */
#include "typed_misuse.h"

int main(void)
{
	strata_type *type = new_type("object", 64), *other = new_type("other", 200);
	pointer object = CALL(strata_type_alloc)(type);
	pointer objects[100];

	for (int i = 0; i < 100; i++)
		objects[i] = CALL(strata_type_alloc)(other);
	for (int i = 0; i < 100; i++)
		CALL(strata_type_free)(other, objects[i]);
	(void)!CALL(strata_type_alloc)(other);
	name_block(object);
	CALL(strata_type_free)(other, object);
	CALL(strata_trim)();
	return 0;
}
