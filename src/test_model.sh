#!/bin/sh
# SPDX-License-Identifier: MIT
# The model of the shared arena lists, docs/models/arena_list.pml: every interleaving is tried, and no free page is lost.
# Proves of itself that it can fail: without the second look of the finder, spin must find the lost page.
set -eu

for tool in spin cc; do
	command -v $tool >/dev/null 2>&1 || { echo "$tool not found"; exit 77; }
done
model=$top_srcdir/docs/models/arena_list.pml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# explore MODEL [DEFINITION]: prints the number of errors
explore()
{
	# spin hands the definition to a shell: it is quoted for that one as well.
	spin ${2:+"-D'$2'"} -a "$1" >spin.log 2>&1 && cc -O2 -o pan pan.c >>spin.log 2>&1 || { cat spin.log >&2; exit 1; }
	./pan -m200000 >pan.log
	! grep -q 'max search depth too small' pan.log || { echo "the search was cut off" >&2; exit 1; }
	sed -n 's/.* errors: \([0-9]*\)$/\1/p' pan.log
}

cp "$model" model.pml
failed=0
for with in 'keeper()' 'worker(1)'; do
	errors=$(explore model.pml "WITH=$with")
	states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.log)
	echo "$with: errors: $errors in $states states"
	[ "$errors" = 0 ] || { cat pan.log; failed=1; }
done

sed 's/:: bucket\[b\] == 1 -> listed\[b\] = 1/:: false -> skip/' "$model" >broken.pml
! cmp -s "$model" broken.pml || { echo "the broken model is not broken: has the model changed?"; exit 1; }
errors=$(explore broken.pml 'WITH=worker(1)')
echo "broken on purpose: errors: $errors"
[ "$errors" != 0 ] || { echo "FAIL: the search does not find a lost page"; failed=1; }
exit $failed
