#!/bin/sh
# SPDX-License-Identifier: MIT
# The claim of a sleeping thread's typed list, with late and reordered stores: no object is handed out twice or lost.
. "$top_srcdir/src/models.sh"

for length in 1 2 3; do
	holds typed_claim LENGTH=$length
done
for step in CLAIM INSIDE ENTER_BARRIER BOTTOM CLOSE_BARRIER NEWEST ROOM END LEFT; do
	finds "typed_claim, without $step" LENGTH=2 WITHOUT=$step CLAIMS=1
done
exit $failed
