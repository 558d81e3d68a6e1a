/* SPDX-License-Identifier: MIT */
/* Frees to a tuple type that is no longer registered. */
#include "typed_misuse.h"

int main(void)
{
	strata_type *type = new_tuple_type();
	pointer tuple = malloc(40);

	if (CALL(strata_type_unregister)(type, NULL))
		return 1;
	name_block(type);
	CALL(strata_tuple_free)(type, tuple, 3);
	return 0;
}
