#!/bin/sh
# SPDX-License-Identifier: MIT
# The claim of a sleeping thread's bin, with late and reordered stores: no block is handed out twice or lost. A test of its
# own, so that it runs beside the other.
. "$top_srcdir/src/models.sh"

for length in 1 2 3; do
	holds claim LENGTH=$length OPERATIONS=3
done
for step in GATE GATE_BARRIER MARK COMPARE MARK_BARRIER LOOK_AGAIN LOWER TOP_FIRST SLOT_FIRST CREDIT_LAST UNDO UNMARK EMPTY DOUBT SEEN ABOVE \
	BACK_COMPARE; do
	finds "claim, without $step" LENGTH=2 OPERATIONS=3 WITHOUT=$step
done
exit $failed
