#!/bin/sh
# SPDX-License-Identifier: MIT
#
# clang++ compiles headers of the standard library.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/compiler.sh"
uses clang++ clang

setup() {
	expect clang++
}

load() {
	compile timed clang++
	same_object
}

runner "$@"
