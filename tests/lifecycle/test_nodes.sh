#!/bin/sh
# SPDX-License-Identifier: MIT
# Where the machine has several nodes (NUMA): threads have most of their memory on their own. See nodes.c.
. "${top_srcdir:-.}/tests/lifecycle/build.sh"

need_library
build preloaded nodes
status=0
run preloaded nodes 75 || status=$?
case $status in
0) ;;
77) skip "the machine has one node" ;;
*) fail "nodes" ;;
esac
