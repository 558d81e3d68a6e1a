/* SPDX-License-Identifier: MIT */
/*
 * Words of 64 bits, each bit something that is free or taken: found by pattern, and changed by many threads at once. And 64 bytes
 * that many threads change, read as such a word.
 */
#ifndef STRATA_BIT_WORD_H
#define STRATA_BIT_WORD_H

#include "compiler.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define ALL_BITS (~UINT64_C(0))

/* The lowest count of the word's ones; all of them if it has fewer. */
static inline uint64_t lowest_bits(uint64_t word, unsigned count)
{
	if (count >= bit_count(word))
		return word;
	uint64_t rest = word;
	while (count-- > 0)
		rest &= rest - 1;
	return word & ~rest;
}

/* The row of ones that begins at the word's lowest. */
static inline uint64_t lowest_run(uint64_t word)
{
	unsigned first = bit_lowest(word);
	uint64_t zeros = ~(word >> first);
	return (zeros != 0 ? bits_below((unsigned)size_min(bit_lowest(zeros), 64 - first)) : ALL_BITS) << first;
}

/* The ones from which on, upward, there are count ones without a gap. */
static inline uint64_t first_of_runs(uint64_t word, unsigned count)
{
	for (unsigned rest = count; rest > 1;) {
		unsigned shift = rest / 2;
		word &= word >> shift;
		rest -= shift;
	}
	return word;
}

static inline uint64_t multiples_of(unsigned alignment)
{
	uint64_t word = 0;
	for (unsigned at = 0; at < 64; at += alignment)
		word |= UINT64_C(1) << at;
	return word;
}

/* Sequentially consistent, as everything about the shared lists; the line is written only if the bit changes. */
static inline void set_bit(_Atomic uint64_t *word, uint64_t bit)
{
	if (!(atomic_load(word) & bit))
		atomic_fetch_or(word, bit);
}

static inline void clear_bit(_Atomic uint64_t *word, uint64_t bit)
{
	if (atomic_load(word) & bit)
		atomic_fetch_and(word, ~bit);
}

/* Sets the bits if none of them is set; false: one was. */
static inline bool claim_bits(_Atomic uint64_t *word, uint64_t bits)
{
	uint64_t seen = atomic_load(word);
	do {
		if (seen & bits)
			return false;
	} while (!atomic_compare_exchange_weak(word, &seen, seen | bits));
	return true;
}

/* Bit 8 * n of each word: becomes bit 8 * word + n. */
static inline uint64_t gather(uint64_t bits, unsigned word)
{
	/* Bit 8 * n of what is multiplied becomes bit 56 + n. */
	return bits * UINT64_C(0x0102040810204080) >> 56 << 8 * word;
}

#define EACH_BYTE UINT64_C(0x0101010101010101)

/* Bit n: byte n of the 64 is this value; all are below 128. The bytes are aligned to 8. Sequentially consistent, byte by byte. */
static inline uint64_t bytes_with_by_words(const _Atomic uint8_t *bytes, uint8_t value)
{
	const uint64_t *words = (const uint64_t *)(const void *)bytes;
	uint64_t found = 0;
	for (unsigned i = 0; i < 64 / 8; i++) {
		uint64_t others = (__atomic_load_n(&words[i], __ATOMIC_SEQ_CST) ^ EACH_BYTE * value) + EACH_BYTE * 127;
		found |= gather(~others >> 7 & EACH_BYTE, i);
	}
	return found;
}

/* Bit n: byte n is at least this value, which is 128 or more. Otherwise as above. */
static inline uint64_t bytes_from_by_words(const _Atomic uint8_t *bytes, uint8_t value)
{
	const uint64_t *words = (const uint64_t *)(const void *)bytes;
	uint64_t found = 0;
	for (unsigned i = 0; i < 64 / 8; i++) {
		uint64_t word = __atomic_load_n(&words[i], __ATOMIC_SEQ_CST);
		uint64_t enough = (word | EACH_BYTE * 128) - EACH_BYTE * (value % 128u);
		found |= gather((enough & word) >> 7 & EACH_BYTE, i);
	}
	return found;
}

/* The same; aligned to 16. */
#if defined(__SSE2__) && !defined(STRATA_TSAN)
enum { BYTES_WITH, BYTES_FROM };

STRATA_FAST uint64_t compare_bytes(const _Atomic uint8_t *bytes, uint8_t value, int how)
{
	const __m128i *parts = (const __m128i *)(const void *)bytes;
	__m128i wanted = _mm_set1_epi8((char)value);
	uint64_t found = 0;
	/* A sequentially consistent load is a load, to this processor. */
	atomic_signal_fence(memory_order_seq_cst);
	for (unsigned i = 0; i < 64 / 16; i++) {
		__m128i part = _mm_load_si128(parts + i);
		__m128i least = how == BYTES_FROM ? _mm_min_epu8(part, wanted) : part;
		found |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(least, wanted)) << 16 * i;
	}
	atomic_signal_fence(memory_order_seq_cst);
	return found;
}

static inline uint64_t bytes_with(const _Atomic uint8_t *bytes, uint8_t value)
{
	return compare_bytes(bytes, value, BYTES_WITH);
}

static inline uint64_t bytes_from(const _Atomic uint8_t *bytes, uint8_t value)
{
	return compare_bytes(bytes, value, BYTES_FROM);
}
#else
static inline uint64_t bytes_with(const _Atomic uint8_t *bytes, uint8_t value)
{
	return bytes_with_by_words(bytes, value);
}

static inline uint64_t bytes_from(const _Atomic uint8_t *bytes, uint8_t value)
{
	return bytes_from_by_words(bytes, value);
}
#endif

#endif
