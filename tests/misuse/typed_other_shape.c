/* SPDX-License-Identifier: MIT */
/* Takes a tuple type for a fixed one. */
#include "typed_misuse.h"

int main(void)
{
	strata_type *type = new_tuple_type();

	CALL(strata_tuple_free)(type, CALL(strata_tuple_alloc)(type, 0), 0);
	name_block(type);
	(void)!CALL(strata_type_alloc)(type);
	return 0;
}
