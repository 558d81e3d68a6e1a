#!/bin/sh
# SPDX-License-Identifier: MIT
# The README's example compiles without a warning against the library, as it stands there, and runs.
set -eu

[ -e "$STRATA_LIBRARY" ] || { echo "built without the shared library"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sed -n '/^```c$/,/^```$/{/^```/!p;}' "$top_srcdir/README.md" >"$work/example.c"
[ -s "$work/example.c" ] || { echo "FAIL: no example in README.md"; exit 1; }

$CC -std=gnu17 -Wall -Wextra -Werror -I"$top_srcdir/include" "$work/example.c" -o "$work/example" "$STRATA_LIBRARY" \
	-Wl,-rpath,"${STRATA_LIBRARY%/*}"
"$work/example" >"$work/output"
cat "$work/output"
grep -qx 'a block of 40 bytes' "$work/output"
grep -Eqx '[0-9]+ bytes live' "$work/output"
