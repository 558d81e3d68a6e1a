#!/bin/sh
# SPDX-License-Identifier: MIT
# The claim of a sleeping thread's bin, with late and reordered stores: no block is handed out twice or lost. A test of its
# own, so that it runs beside the other.
. "$top_srcdir/src/models.sh"

holds claim LENGTH=1
holds claim LENGTH=2
for step in GATE GATE_BARRIER EXCHANGE_BARRIER WALK_BARRIER COUNT_BARRIER COUNT_AGAIN COUNT EMPTY CREDIT_FIRST LIMBO; do
	finds "claim, without $step" LENGTH=2 WITHOUT=$step
done
exit $failed
