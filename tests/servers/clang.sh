#!/bin/sh
# SPDX-License-Identifier: MIT
#
# clang and clang++.
. "$(dirname "$0")/lib.sh"
need clang clang
need clang++ clang
need lld lld
. "$HERE/compile.sh"

workload() {
	held clang -x c -c -o /dev/null -
	compile clang clang++ -fuse-ld=lld
}

rounds clang
