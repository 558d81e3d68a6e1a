#!/bin/sh
# SPDX-License-Identifier: MIT
# The native interface keeps its contract under check:1.
STRATA_OPTIONS=check:1
export STRATA_OPTIONS
exec "$top_builddir/tests/unit/test_contract_native"
