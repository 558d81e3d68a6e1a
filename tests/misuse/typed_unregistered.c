/* SPDX-License-Identifier: MIT */
/* Allocates of a type that is no longer registered. */
#include "typed_misuse.h"

int main(void)
{
	strata_type *type = new_type("object", 64);

	CALL(strata_type_free)(type, CALL(strata_type_alloc)(type));
	if (CALL(strata_type_unregister)(type, NULL))
		return 1;
	name_block(type);
	(void)!CALL(strata_type_alloc)(type);
	return 0;
}
