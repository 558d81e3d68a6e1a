#!/bin/sh
# SPDX-License-Identifier: MIT
# A real control group of 256 MiB, where this machine lets one be made, and a group within it: test_cgroup finds them by itself.
set -eu

skip()
{
	echo "$1"
	exit 77
}

mount=$(awk '$0 ~ / - cgroup2 / { print $5; exit }' /proc/self/mountinfo)
[ -n "$mount" ] || skip "no cgroup2 is mounted here"
own=$(sed -n 's/^0:://p' /proc/self/cgroup)
# A group with processes of its own hands on no controllers: beside it, or at the root.
for parent in "$mount$(dirname "$own")" "$mount"; do
	grep -qw memory "$parent/cgroup.subtree_control" 2>/dev/null && break
	parent=
done
[ -n "$parent" ] || skip "no group here hands on the memory controller of cgroup v2"
group=$parent/strata-test-$$
mkdir "$group" 2>/dev/null || skip "no control group may be made here"
trap 'rmdir "$group/inner" "$group" 2>/dev/null' EXIT
trap 'exit 1' HUP INT TERM
echo 268435456 >"$group/memory.max" 2>/dev/null || skip "no limit may be set here"

# run_in GROUP: the subshell moves itself, and becomes the program.
run_in()
{
	status=0
	sh -c 'echo $$ >"$1/cgroup.procs" || exit 77; exec "$2" own' sh "$1" "$top_builddir/tests/unit/test_cgroup" || status=$?
	[ "$status" -ne 77 ] || skip "no process may be moved here"
	[ "$status" -eq 0 ] || exit "$status"
}

run_in "$group"
# The limit in the group above: first of a group without files of its own, then of one with them.
mkdir "$group/inner"
run_in "$group/inner"
echo +memory >"$group/cgroup.subtree_control"
run_in "$group/inner"
