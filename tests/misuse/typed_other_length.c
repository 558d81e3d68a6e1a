/* SPDX-License-Identifier: MIT */
/* Frees a tuple as one of another length. */
#include "typed_misuse.h"

int main(void)
{
	strata_type *type = new_tuple_type();
	pointer tuple = CALL(strata_tuple_alloc)(type, 3);

	name_block(tuple);
	CALL(strata_tuple_free)(type, tuple, 12);
	return 0;
}
