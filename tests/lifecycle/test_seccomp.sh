#!/bin/sh
# SPDX-License-Identifier: MIT
# Sandboxes: one that refuses what the library asks the system for beyond memory, one that ends who begins a thread. See seccomp.c and
# sandbox.c.
. "${top_srcdir:-.}/tests/lifecycle/build.sh"

for each in preloaded static; do
	possible "$each" || continue
	build "$each" seccomp
	status=0
	run "$each" seccomp || status=$?
	[ "$status" -ne 77 ] || skip "no seccomp filters here"
	[ "$status" -eq 0 ] || fail "$each: exit status $status"
	STRATA_OPTIONS=decay_ms:0,retain:0 run "$each" seccomp || fail "$each: decay_ms:0"
	run "$each" seccomp mremap || fail "$each: without mremap"
	echo "seccomp: $each: passed"
	# References that are weak take nothing out of an archive.
	if [ "$each" = static ]; then
		build "$each" sandbox -Wl,-u,strata_option_set,-u,strata_maintain
	else
		build "$each" sandbox
	fi
	STRATA_OPTIONS=background:1 run "$each" sandbox || fail "$each: background:1 in a sandbox"
	run "$each" sandbox by_call || fail "$each: background, set by call, in a sandbox"
	STRATA_OPTIONS=cgroup:off,numa:off run "$each" sandbox no_files || fail "$each: a sandbox without files"
	echo "sandbox: $each: passed"
done
