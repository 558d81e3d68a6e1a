/* SPDX-License-Identifier: MIT */
/* Takes a fixed type for a list. */
#include "typed_misuse.h"

int main(void)
{
	strata_type *type = new_type("object", 64);

	name_block(type);
	(void)!CALL(strata_list_alloc)(type, 0);
	return 0;
}
