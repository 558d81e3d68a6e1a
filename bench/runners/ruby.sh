#!/bin/sh
# SPDX-License-Identifier: MIT
#
# ruby on a script that makes many objects and strings (objects.rb).
. "$(dirname "$0")/lib.sh"
uses ruby ruby

setup() {
	ruby --disable-gems "$HERE/objects.rb" >"$DATA/expected"
}

load() {
	timed ruby --disable-gems "$HERE/objects.rb"
	cmp "$RUN/out" "$DATA/expected" >&2 || die "ruby counts otherwise than on glibc"
}

runner "$@"
