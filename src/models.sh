#!/bin/sh
# SPDX-License-Identifier: MIT
# For the tests of the models of docs/models: every interleaving is tried, and none breaks what the model asserts. Each proves
# of itself that it can fail: with one of its steps taken out, spin must find an error. They end with "exit $failed".
set -eu

for tool in spin cc; do
	command -v $tool >/dev/null 2>&1 || { echo "$tool not found"; exit 77; }
done
models=$(cd "$top_srcdir" && pwd)/docs/models
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
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
	[ -n "$errors" ] || { cat pan.log >&2; exit 1; }
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

# finds WHAT DEFINITION...: of model.pml as it is now, which lacks something
finds()
{
	name=$1
	shift
	explore "$@"
	echo "$name: errors: $errors"
	[ "$errors" != 0 ] || { echo "FAIL: the search does not miss it"; failed=1; }
}

# breaks WHAT EDIT MODEL DEFINITION...: without what the edit by sed takes out.
breaks()
{
	sed "$2" "$models/$3.pml" >model.pml
	! cmp -s "$models/$3.pml" model.pml || { echo "$3: nothing to break: has the model changed?"; exit 1; }
	name="$3, without $1"
	shift 3
	finds "$name" "$@"
}
