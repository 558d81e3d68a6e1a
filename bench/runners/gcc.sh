#!/bin/sh
# SPDX-License-Identifier: MIT
#
# g++ compiles headers of the standard library.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/compiler.sh"
uses g++ g++

setup() {
	expect g++
}

load() {
	compile timed g++
	same_object
}

runner "$@"
