#!/bin/sh
# SPDX-License-Identifier: MIT
# malloc's family and the native interface keep their contracts under check:1, the domains theirs under their hooks.
failed=0
with() {
	options=$1
	shift
	for name; do
		STRATA_OPTIONS=$options "$top_builddir/tests/unit/test_$name" || failed=1
	done
}
with check:1 contract_native contract_malloc contract_realloc contract_aligned
with domain_debug:1 domain_blocks domain_count domain_exchange domain_table
with domain_debug:1,check:1 domain_blocks domain_count
exit $failed
