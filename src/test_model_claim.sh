#!/bin/sh
# SPDX-License-Identifier: MIT
# The model of the claim of a sleeping thread's bin, docs/models/claim.pml: every interleaving is tried, with late and
# reordered stores, and no block is handed out twice or lost. Proves of itself that it can fail: without any one of the steps
# the search must find what goes wrong.
set -eu

for tool in spin cc; do
	command -v $tool >/dev/null 2>&1 || { echo "$tool not found"; exit 77; }
done
model=$(cd "$top_srcdir" && pwd)/docs/models/claim.pml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# explore DEFINITION...: sets errors and states
explore()
{
	spin "$@" -a "$model" >spin.log 2>&1 && cc -O1 -o pan pan.c >>spin.log 2>&1 || { cat spin.log >&2; exit 1; }
	./pan -m200000 >pan.log
	! grep -q 'max search depth too small' pan.log || { echo "the search was cut off" >&2; exit 1; }
	errors=$(sed -n 's/.* errors: \([0-9]*\)$/\1/p' pan.log)
	states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.log)
	[ -n "$errors" ] || { cat pan.log >&2; exit 1; }
}

failed=0
for length in 1 2; do
	explore -DLENGTH=$length
	echo "a list of $length: errors: $errors in $states states"
	[ "$errors" = 0 ] || { cat pan.log; failed=1; }
done
for step in GATE GATE_BARRIER EXCHANGE_BARRIER WALK_BARRIER COUNT_BARRIER COUNT_AGAIN COUNT EMPTY CREDIT_FIRST LIMBO; do
	explore -DLENGTH=2 -DWITHOUT=$step
	echo "without $step: errors: $errors"
	[ "$errors" != 0 ] || { echo "FAIL: the search does not find what is wrong without it"; failed=1; }
done
exit $failed
