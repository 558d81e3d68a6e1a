#!/bin/sh
# SPDX-License-Identifier: MIT
# The README's examples in C compile without a warning against the library, as they stand there, and run.
set -eu

[ -e "$STRATA_LIBRARY" ] || { echo "built without the shared library"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# One file for each block of C.
awk -v folder="$work" '
	/^```c$/ { file = folder "/" ++count ".c"; next }
	/^```$/ { file = "" }
	file != "" { print >file }' "$top_srcdir/README.md"
[ -s "$work/2.c" ] || { echo "FAIL: no two examples in README.md"; exit 1; }

for source in "$work"/*.c; do
	$CC -std=gnu17 -Wall -Wextra -Werror -I"$top_srcdir/include" "$source" -o "${source%.c}" "$STRATA_LIBRARY" \
		-Wl,-rpath,"${STRATA_LIBRARY%/*}"
	"${source%.c}" >>"$work/output" 2>&1
done
cat "$work/output"
grep -qx 'a block of 40 bytes' "$work/output"
grep -Eqx '[0-9]+ bytes live' "$work/output"
grep -Eqx '[0-9]+ live, [0-9]+ cached' "$work/output"
grep -qx 'buf: 2097152 bytes' "$work/output"
grep -qx 'refused' "$work/output"
