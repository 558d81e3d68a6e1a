#!/bin/sh
# SPDX-License-Identifier: MIT
# The shared lists of arenas, the same by node, their hints, the stack of dead heaps, and the exchange of tables.
. "$top_srcdir/src/models.sh"

holds arena_list 'WITH=keeper()'
holds arena_list 'WITH=worker(1)'
breaks "the finder's second look" 's/:: place == b -> listed\[b\] = 1/:: false -> skip/' arena_list 'WITH=worker(1)'
breaks "the second look at the word" 's/:: seen == mine -> break/:: true -> break/' arena_list 'WITH=worker(1)'
breaks "the byte before the summary" \
	's/:: mine != NONE -> set(listed.*/:: true -> skip/; s/set(place, mine);/if :: mine != NONE -> set(listed[mine], 1) :: else -> skip fi; set(place, mine);/' \
	arena_list 'WITH=worker(1)'

holds arena_node WALKED=0
holds arena_node WALKED=1
breaks "the second look in a node's bucket" 's/:: there == 1 -> near.*/:: false -> skip/' arena_node WALKED=1
breaks "the bucket before the node's summary" \
	's/set(near\[on . 2 + mine\], 1)$/skip/; s/set(place, mine);/on = node; if :: mine != NONE -> set(near[on * 2 + mine], 1) :: else -> skip fi; set(place, mine);/' \
	arena_node WALKED=1

holds arena_lack
breaks "the second look of whoever found no run" 's/seen = free; .*again.*/skip;/' arena_lack
breaks "the look of whoever returns pages" 's/lacks = 0 .*room.*/skip/' arena_lack

holds dead_heap
breaks "the look of whoever was in it" '/busy = 0;/{n;s/list_if_wanted()/skip/}' dead_heap
breaks "the look of whoever leaves it" '/unlisted = true;/{n;s/list_if_wanted()/skip/}' dead_heap
breaks "the mark of whoever needs one and finds somebody there" '/busy != 0 -> skip };/{n;s/list_when_free()/skip/}' dead_heap
breaks "the exchange" 's/:: atomic { unlisted -> unlisted = false };/:: unlisted -> unlisted = false;/' dead_heap

for sequence in 'NEXT=0 LAST=1' 'NEXT=2 LAST=1' 'NEXT=2 LAST=0'; do
	holds table_exchange $sequence
done
breaks "the wait" 's/synchronize(waited);/skip;/' table_exchange NEXT=2 LAST=1
breaks "the look within the read section" '/within the section/d' table_exchange NEXT=2 LAST=1
breaks "the second look of whoever takes a record" 's/:: diverted == seen -> break/:: true -> break/' table_exchange NEXT=2 LAST=1
breaks "the walk that closes" 's/set_routes(seen) .*close.*/skip/' table_exchange NEXT=0 LAST=1
breaks "the walk that opens" 's/set_routes(seen) .*open.*/skip/' table_exchange NEXT=2 LAST=0
breaks "the first walk before the store" 's/diverted = 1;/in_force = table; diverted = 1;/' table_exchange NEXT=0 LAST=1
holds region_fit
for step in COUNT BOUND LOWER LOOK COMMITTED; do
	finds "region_fit, without $step" WITHOUT=$step
done
holds region_who
for step in WISH AGAIN FORK_END ANEW COUNT LATE; do
	finds "region_who, without $step" WITHOUT=$step
done
exit $failed
