/* SPDX-License-Identifier: MIT */
/*
 * Sizes and classes. A class is a number: 0 is nobody's, 1 ... 64 are the object classes (8 bytes to a step), 65 ... 112
 * the medium ones (8 steps to a doubling up to 4 KiB, 4 above, to 256 KiB). Above there are no classes: page runs.
 *
 * A class travels as its code, class * 2, in page tags and tables: the fast path then reaches a 16-byte bin with the
 * processor's own scaling by 8.
 */
#ifndef STRATA_SIZE_CLASS_H
#define STRATA_SIZE_CLASS_H

#include "compiler.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE ((size_t)1 << PAGE_SHIFT)

#define OBJECT_MAX ((size_t)512)
#define MEDIUM_MAX ((size_t)262144)
/* Zeroed requests above this are page runs although there are classes for them: fresh pages need no clearing, and what is not
 * touched costs nothing. */
#define CLEARED_MAX ((size_t)65536)
#define OBJECT_CLASSES 64
#define CLASS_COUNT 113 /* class 0 included */

/* What the slow paths need to know of a class. */
struct size_class {
	uint32_t size;     /* bytes in a block */
	uint32_t odd_inverse; /* of size without its factors of 2, modulo 2^32: see block_index */
	uint16_t capacity; /* blocks in a pool */
	uint8_t pages;     /* pages in a pool: 1 for objects, up to 64 for medium classes */
	uint8_t start;     /* offset of the first block: the 8-byte class keeps its bitmap in front of its blocks */
};

extern STRATA_HIDDEN const struct size_class size_classes[CLASS_COUNT];

/* Their sizes alone, for the fast path. */
extern STRATA_HIDDEN const uint32_t class_bytes[CLASS_COUNT];

/* The code is even: the compiler need not halve it to index. */
STRATA_FAST size_t bytes_of_code(size_t code)
{
	return *(const uint32_t *)((const char *)class_bytes + code * (sizeof(uint32_t) / 2));
}

/* malloc's rule: code of the smallest class whose blocks are aligned to 16 bytes (8 for sizes <= 8). Up to 4 KiB it is looked up by
 * the size itself: where a program's sizes lie on both sides of it, a test of the size is one that the processor guesses wrong. */
#define LOOKED_UP_MAX ((size_t)4096)
extern STRATA_HIDDEN const uint8_t code_aligned16[LOOKED_UP_MAX + 1];

/* Code of the smallest medium class, by (size - 1) / 64 up to 4 KiB, and by 64 + (size - 1) / 1024 above. */
extern STRATA_HIDDEN const uint8_t medium_codes[320];

/* The native rule: every 8-byte class. Size 0 gives class 0, whose bin is always empty: the slow path makes it 1. */
STRATA_FAST size_t object_bytes(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

STRATA_FAST size_t object_code(size_t size)
{
	return object_bytes(size) / 4;
}

STRATA_FAST unsigned medium_code(size_t size)
{
	size_t last = size - 1;
	return medium_codes[size <= 4096 ? last >> 6 : 64 + (last >> 10)];
}

/* The class for size <= MEDIUM_MAX by the native rule. */
static inline unsigned class_of_size(size_t size)
{
	if (size <= OBJECT_MAX)
		return size == 0 ? 1 : (unsigned)object_code(size) / 2;
	return medium_code(size) / 2;
}

/* Which block of a pool of blocks of size begins at offset, which is counted from the first block; where none does, a number above that
 * of any block. One multiplication divides exactly and tells what does not: with size = odd << shift, a multiple of odd times odd's
 * inverse is the quotient, whose lowest bits are 0 if it can be shifted; what is not a multiple gets a bit far up. */
STRATA_FAST uint32_t block_index(uint32_t offset, uint32_t odd_inverse, unsigned shift)
{
	uint32_t quotient = offset * odd_inverse;
	return quotient >> shift | quotient << (-shift & 31);
}

/* Whether one of carved blocks begins there, and which. */
static inline bool block_begins(const struct size_class *geometry, size_t offset, unsigned carved, unsigned *index)
{
	*index = block_index((uint32_t)offset, geometry->odd_inverse, (unsigned)__builtin_ctz(geometry->size));
	return *index < carved;
}

#endif
