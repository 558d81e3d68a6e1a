#!/bin/sh
# SPDX-License-Identifier: MIT
# The models of docs/models: every interleaving is tried, and none breaks what the model asserts. Each proves of itself that
# it can fail: with one of its steps taken out, spin must find an error.
set -eu

for tool in spin cc; do
	command -v $tool >/dev/null 2>&1 || { echo "$tool not found"; exit 77; }
done
models=$top_srcdir/docs/models
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
failed=0

# explore DEFINITION...: counts the errors of model.pml in $errors, its states in $states.
explore()
{
	definitions=
	for definition in "$@"; do
		# spin hands the definition to a shell: it is quoted for that one as well.
		definitions="$definitions \"-D'$definition'\""
	done
	eval "spin $definitions -a model.pml" >spin.log 2>&1 && cc -O2 -o pan pan.c >>spin.log 2>&1 ||
		{ cat spin.log >&2; exit 1; }
	./pan -m200000 >pan.log
	! grep -q 'max search depth too small' pan.log || { echo "the search was cut off" >&2; exit 1; }
	errors=$(sed -n 's/.* errors: \([0-9]*\)$/\1/p' pan.log)
	states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.log)
}

# holds MODEL DEFINITION...
holds()
{
	cp "$models/$1.pml" model.pml
	name=$1
	shift
	explore "$@"
	echo "$name, $*: errors: $errors in $states states"
	[ "$errors" = 0 ] || { cat pan.log; failed=1; }
}

# breaks WHAT EDIT MODEL DEFINITION...: without what the edit by sed takes out.
breaks()
{
	sed "$2" "$models/$3.pml" >model.pml
	! cmp -s "$models/$3.pml" model.pml || { echo "$3: nothing to break: has the model changed?"; exit 1; }
	name="$3, without $1"
	shift 3
	explore "$@"
	echo "$name: errors: $errors"
	[ "$errors" != 0 ] || { echo "FAIL: the search does not miss it"; failed=1; }
}

holds arena_list 'WITH=keeper()'
holds arena_list 'WITH=worker(1)'
breaks "the finder's second look" 's/:: bucket\[b\] == 1 -> listed\[b\] = 1/:: false -> skip/' arena_list 'WITH=worker(1)'

for sequence in 'NEXT=0 LAST=1' 'NEXT=2 LAST=1' 'NEXT=2 LAST=0'; do
	holds table_exchange $sequence
done
breaks "the wait" 's/synchronize(waited);/skip;/' table_exchange NEXT=2 LAST=1
breaks "the look within the read section" '/within the section/d' table_exchange NEXT=2 LAST=1
breaks "the second look of who takes a record" 's/:: in_force == seen -> break/:: true -> break/' table_exchange NEXT=2 LAST=1
breaks "the walk after the store" \
	's/in_force = table; .*publish.*/skip;/; s/.*after the walk.*/in_force = table;/' table_exchange NEXT=0 LAST=1
exit $failed
