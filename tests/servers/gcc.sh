#!/bin/sh
# SPDX-License-Identifier: MIT
#
# gcc and g++, with the assembler, the linker and the link-time optimiser that they start.
. "$(dirname "$0")/lib.sh"
need gcc gcc
need g++ g++
. "$HERE/compile.sh"

workload() {
	held "$(gcc -print-prog-name=cc1)" -quiet - -o /dev/null
	compile gcc g++
}

rounds gcc
