#!/bin/sh
# SPDX-License-Identifier: MIT
# malloc's family and the native interface keep their contracts under check:1.
STRATA_OPTIONS=check:1
export STRATA_OPTIONS
failed=0
for name in native malloc realloc aligned; do
	"$top_builddir/tests/unit/test_contract_$name" || failed=1
done
exit $failed
