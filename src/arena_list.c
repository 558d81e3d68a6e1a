/* SPDX-License-Identifier: MIT */
#include "arena_list.h"

#include "arena_node.h"
#include "bit_word.h"
#include "region.h"

#define CHUNK_LIMIT 65536u
#define NO_BUCKET BUCKET_COUNT
#define WORD_ARENAS (64 * CHUNK_ARENAS) /* of which a word of a summary tells */

/* Which list an arena with this free word belongs on. */
static unsigned bucket_of(uint64_t free)
{
	static const uint8_t buckets[65] = {
		[0] = NO_BUCKET, [1 ... 4] = 0, [5 ... 16] = 1, [17 ... 32] = 2, [33 ... 56] = 3, [57 ... 64] = 4,
	};
	return buckets[bit_count(free)];
}

const uint8_t arena_bucket_most[BUCKET_COUNT] = { 4, 16, 32, 56, 64 };

/* Bit c of listed[w][b]: chunk 64 w + c may have an arena in bucket b. Set after the arena's place; cleared by whoever finds the
 * bucket empty, who then looks at the bucket again. Sequentially consistent, as everything about the lists. The words of the buckets
 * side by side: a search reads a line or two, and a small program writes to one page. */
static STRATA_LARGE _Atomic uint64_t listed[CHUNK_LIMIT / 64][BUCKET_COUNT] STRATA_ALIGNED(CACHE_LINE);

/*
 * The same by node: bit c says that chunk c may have an arena of that node in the bucket. A node's list is that of all, seen
 * through the words of arena_node.h.
 *
 * Why one more index changes nothing between operations: what is claimed is decided by the free word, and whether an arena
 * can be lost by that, its place and the summary of all, as without nodes; a search that must not miss one walks that
 * list. A node's summary follows the same rule as that of all, with "in the bucket, and on the node" for "in the bucket": set
 * after its place and its node's bit, cleared by whoever finds no such arena, who then looks again. An arena's node changes only while it
 * is unused, by whoever has claimed it whole. So whoever puts it on its list after that sets the summary of its new node; one who comes
 * late from its last life may have set that of the old node as well, and the next to walk there clears it.
 * (docs/models/arena_node.pml checks this exhaustively.)
 */
STRATA_FAST _Atomic uint64_t *summary_word(unsigned node, unsigned bucket, uint32_t word)
{
	if (node == ANY_NODE)
		return &listed[word][bucket];
	size_t words = (region.arena_limit + WORD_ARENAS - 1) / WORD_ARENAS;
	return region.node_listed + (node * words + word) * BUCKET_COUNT + bucket;
}

static void note_chunk(arena_index index, unsigned bucket)
{
	uint32_t chunk = index / CHUNK_ARENAS;
	uint64_t bit = UINT64_C(1) << (chunk % 64);
	set_bit(&listed[chunk / 64][bucket], bit);
	unsigned node = arena_node(index);
	if (unlikely(node != ANY_NODE))
		set_bit(summary_word(node, bucket, chunk / 64), bit);
}

/*
 * Puts the arena on the list where its free word belongs, off the one where it was. Called after a change of the word that
 * changed its bucket, and by whoever finds it on a wrong list.
 *
 * Why an arena with free pages cannot end up on no list, though several threads do this at once: everyone, after writing where
 * it is, looks at the word again, and starts over when it now belongs elsewhere. Take the last change of the word, to a value of
 * bucket b, and the last who writes. Whoever makes the change looks after it where the arena is, and writes unless that is b. So if what
 * was written last is not b, it was written after that look, and then who wrote it sees b in the word, and starts over. A thread
 * stopped between leaves at worst one arena unlisted until it goes on.
 * (docs/models/arena_list.pml checks this exhaustively.)
 */
void arena_relist(arena_index index, uint64_t free)
{
	_Atomic uint8_t *place = &chunk_of(index)->place[index % CHUNK_ARENAS];
	unsigned bucket = bucket_of(free);
	unsigned seen;
	for (;;) {
		uint8_t list = bucket != NO_BUCKET ? (uint8_t)(bucket + 1) : 0;
		if (atomic_load(place) != list)
			atomic_store(place, list);
		if (bucket != NO_BUCKET)
			note_chunk(index, bucket);
		seen = bucket_of(atomic_load(&region.arenas[index].free));
		if (seen == bucket)
			return;
		bucket = seen;
	}
}

void arena_word_changed(arena_index index, uint64_t before, uint64_t after)
{
	if (bucket_of(before) != bucket_of(after))
		arena_relist(index, after);
}

/*
 * Blocks of several pages leave arenas with free pages, but none in a row: who needs some passes over them all, each time. So whoever finds
 * none says so. That is a hint: an arena that is passed over for it is one whose pages others may have.
 *
 * Why it cannot stay when pages have come back that make such a run: who writes it looks at the word after that, and takes it back if
 * it has one; whoever returns pages looks at the hint after that. In the one order of all these, either the former sees the pages or the
 * latter the hint. Taking back what another wrote costs a search, no more. (docs/models/arena_lack.pml checks this exhaustively.)
 */
static uint8_t lack_of(unsigned count)
{
	return (uint8_t)(256 - count);
}

static unsigned lack_count(uint8_t lack)
{
	return 256u - lack;
}

void arena_note_lack(arena_index index, unsigned count)
{
	_Atomic uint8_t *lacks = &chunk_of(index)->lacks[index % CHUNK_ARENAS];
	if (atomic_load(lacks) >= lack_of(count))
		return;
	atomic_store(lacks, lack_of(count));
	if (first_of_runs(atomic_load(&region.arenas[index].free), count) != 0)
		atomic_store(lacks, 0);
}

void arena_note_room(arena_index index, uint64_t free)
{
	_Atomic uint8_t *lacks = &chunk_of(index)->lacks[index % CHUNK_ARENAS];
	uint8_t lack = atomic_load(lacks);
	if (lack != 0 && first_of_runs(free, lack_count(lack)) != 0)
		atomic_store(lacks, 0);
}

/* Words of a summary that tell of arenas which are memory. */
static uint32_t chunk_words(void)
{
	return (region_arenas() + WORD_ARENAS - 1) / WORD_ARENAS;
}

/* In line, so that the walk over all is what it would be without nodes. */
STRATA_FAST bool walk_next_chunk(struct arena_walk *walk, unsigned node)
{
	while (walk->chunks == 0) {
		if (walk->word >= chunk_words())
			return false;
		walk->chunks = atomic_load(summary_word(node, walk->bucket, walk->word++));
	}
	walk->chunk = (walk->word - 1) * 64 + bit_lowest(walk->chunks);
	walk->chunks &= walk->chunks - 1;
	return true;
}

STRATA_FAST uint64_t arenas_in_bucket(const struct arena_walk *walk, unsigned node)
{
	return bytes_with(region.chunks[walk->chunk].place, (uint8_t)(walk->bucket + 1)) & arena_node_mask(walk->chunk, node);
}

STRATA_FAST void take_off_summary(const struct arena_walk *walk, unsigned node)
{
	_Atomic uint64_t *word = summary_word(node, walk->bucket, walk->chunk / 64);
	uint64_t bit = UINT64_C(1) << (walk->chunk % 64);
	clear_bit(word, bit);
	if (arenas_in_bucket(walk, node) != 0)
		set_bit(word, bit);
}

/* Chunks in whose lists is nothing that fits, in one walk: a look at two lines each, for which new pages come sooner. */
#define PASSED_MOST 24

/* False: the walk has passed over enough. */
STRATA_FAST bool walk_chunk(struct arena_walk *walk, unsigned node)
{
	walk->arenas = arenas_in_bucket(walk, node);
	if (walk->arenas == 0) {
		take_off_summary(walk, node);
		return true;
	}
	if (walk->count > 1)
		walk->arenas &= ~bytes_from(region.chunks[walk->chunk].lacks, lack_of(walk->count));
	return walk->arenas != 0 || ++walk->passed < PASSED_MOST;
}

STRATA_FAST arena_index walk_next(struct arena_walk *walk, unsigned node)
{
	while (walk->arenas == 0)
		if (!walk_next_chunk(walk, node) || !walk_chunk(walk, node))
			return NO_ARENA;
	arena_index index = walk->chunk * CHUNK_ARENAS + bit_lowest(walk->arenas);
	walk->arenas &= walk->arenas - 1;
	return index;
}

arena_index arena_walk_next(struct arena_walk *walk)
{
	return walk_next(walk, ANY_NODE);
}

arena_index arena_walk_next_on(unsigned node, struct arena_walk *walk)
{
	return walk_next(walk, node);
}
