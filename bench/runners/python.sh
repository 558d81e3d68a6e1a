#!/bin/sh
# SPDX-License-Identifier: MIT
#
# CPython without allocators of its own (PYTHONMALLOC=malloc): programs of bench/python, one after the other in one
# process. They check their work by assertions.
. "$(dirname "$0")/lib.sh"
uses /usr/bin/python3 python3

PROGRAMS="json_documents comprehensions sorting pickling strings tasks"

setup() {
	:
}

load() {
	cd "$HERE/../python" || die "cd"
	# shellcheck disable=SC2086
	PYTHONMALLOC=malloc PYTHONHASHSEED=1 timed /usr/bin/python3 -B -c '
import runpy, sys
for name in sys.argv[1:]:
    runpy.run_path(name + ".py", run_name="__main__")
    print(name)
' $PROGRAMS
	[ "$(tr '\n' ' ' <"$RUN/out")" = "$PROGRAMS " ] || die "python ended before its end"
}

runner "$@"
