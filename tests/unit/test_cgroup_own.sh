#!/bin/sh
# SPDX-License-Identifier: MIT
# A real control group of 256 MiB, where this machine lets one be made: test_cgroup finds it by itself.
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
trap 'rmdir "$group"' EXIT
trap 'exit 1' HUP INT TERM
echo 268435456 >"$group/memory.max" 2>/dev/null || skip "no limit may be set here"

# The subshell moves itself, and becomes the program.
status=0
sh -c 'echo $$ >"$1/cgroup.procs" || exit 77; exec "$2" own' sh "$group" "$top_builddir/tests/unit/test_cgroup" || status=$?
[ "$status" -ne 77 ] || skip "no process may be moved here"
exit "$status"
