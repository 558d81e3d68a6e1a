/* SPDX-License-Identifier: MIT */
#include "size_class.h"

/* All classes: F(class, bytes in a block, pages in a pool, offset of the first block). How many pages make a pool of a medium
 * class: few, so that pools come home, but with little left over at their end (at most 2 % but for 3840 bytes, 6 %). */
#define OBJECT(F, n) F(n, 8 * (n), 1, 0)
#define OBJECT8(F, n) OBJECT(F, n) OBJECT(F, n + 1) OBJECT(F, n + 2) OBJECT(F, n + 3) OBJECT(F, n + 4) OBJECT(F, n + 5) \
		      OBJECT(F, n + 6) OBJECT(F, n + 7)
#define CLASSES(F) \
	F(1, 8, 1, 64) \
	OBJECT(F, 2) OBJECT(F, 3) OBJECT(F, 4) OBJECT(F, 5) OBJECT(F, 6) OBJECT(F, 7) OBJECT(F, 8) \
	OBJECT8(F, 9) OBJECT8(F, 17) OBJECT8(F, 25) OBJECT8(F, 33) OBJECT8(F, 41) OBJECT8(F, 49) OBJECT8(F, 57) \
	F(65, 576, 2, 0) F(66, 640, 3, 0) F(67, 704, 4, 0) F(68, 768, 3, 0) \
	F(69, 832, 6, 0) F(70, 896, 2, 0) F(71, 960, 4, 0) F(72, 1024, 4, 0) \
	F(73, 1152, 4, 0) F(74, 1280, 5, 0) F(75, 1408, 7, 0) F(76, 1536, 3, 0) \
	F(77, 1664, 7, 0) F(78, 1792, 4, 0) F(79, 1920, 8, 0) F(80, 2048, 4, 0) \
	F(81, 2304, 4, 0) F(82, 2560, 5, 0) F(83, 2816, 7, 0) F(84, 3072, 6, 0) \
	F(85, 3328, 9, 0) F(86, 3584, 7, 0) F(87, 3840, 4, 0) F(88, 4096, 4, 0) \
	F(89, 5120, 5, 0) F(90, 6144, 6, 0) F(91, 7168, 7, 0) F(92, 8192, 4, 0) \
	F(93, 10240, 5, 0) F(94, 12288, 6, 0) F(95, 14336, 7, 0) F(96, 16384, 8, 0) \
	F(97, 20480, 5, 0) F(98, 24576, 6, 0) F(99, 28672, 7, 0) F(100, 32768, 8, 0) \
	F(101, 40960, 10, 0) F(102, 49152, 12, 0) F(103, 57344, 14, 0) F(104, 65536, 16, 0) \
	F(105, 81920, 20, 0) F(106, 98304, 24, 0) F(107, 114688, 28, 0) F(108, 131072, 32, 0) \
	F(109, 163840, 40, 0) F(110, 196608, 48, 0) F(111, 229376, 56, 0) F(112, 262144, 64, 0)

/* The inverse of an odd number modulo 2^32, by Newton's method: each step doubles how many of its bits are right, 5 at first. */
#define ODD(n) ((uint32_t)(n) >> __builtin_ctz(n))
#define NEARER(n, x) ((x) * (2 - (n) * (x)))
#define INVERSE(n) NEARER(n, NEARER(n, NEARER(n, (3 * (n)) ^ 2)))

#define ENTRY(class, bytes, page_count, offset)                                                              \
	[class] = { .size = (bytes), .odd_inverse = INVERSE(ODD(bytes)),                                     \
		    .capacity = ((page_count) * 4096 - (offset)) / (bytes), .pages = (page_count), .start = (offset) },

const struct size_class size_classes[CLASS_COUNT] = { CLASSES(ENTRY) };

#define BYTES(class, bytes, page_count, offset) [class] = (bytes),

const uint32_t class_bytes[CLASS_COUNT] STRATA_ALIGNED(CACHE_LINE) = { CLASSES(BYTES) };

/* Four or eight classes in a row from first, each of width entries, beginning at entry at. */
#define ROW4(at, width, first)                                    \
	[(at) ... (at) + (width) - 1] = 2 * (first),              \
	[(at) + (width) ... (at) + 2 * (width) - 1] = 2 * (first) + 2, \
	[(at) + 2 * (width) ... (at) + 3 * (width) - 1] = 2 * (first) + 4, \
	[(at) + 3 * (width) ... (at) + 4 * (width) - 1] = 2 * (first) + 6
#define ROW8(at, width, first) ROW4(at, width, first), ROW4((at) + 4 * (width), width, (first) + 4)

/* 16 * (n - 1) < size <= 16 * n: class 2 * n, code 4 * n. */
#define SIXTEEN(n) [16 * (n) - 15 ... 16 * (n)] = 4 * (n)
#define SIXTEENS(n) SIXTEEN(n), SIXTEEN(n + 1), SIXTEEN(n + 2), SIXTEEN(n + 3)

const uint8_t code_aligned16[LOOKED_UP_MAX + 1] STRATA_ALIGNED(CACHE_LINE) = {
	[0 ... 8] = 2, [9 ... 16] = 4, SIXTEEN(2), SIXTEEN(3), SIXTEEN(4),
	SIXTEENS(5), SIXTEENS(9), SIXTEENS(13), SIXTEENS(17), SIXTEENS(21), SIXTEENS(25), SIXTEENS(29),
	ROW8(513, 64, 65), ROW8(1025, 128, 73), ROW8(2049, 256, 81),
};

const uint8_t medium_codes[320] STRATA_ALIGNED(CACHE_LINE) = {
	ROW8(8, 1, 65), ROW8(16, 2, 73), ROW8(32, 4, 81),
	ROW4(64 + 4, 1, 89), ROW4(64 + 8, 2, 93), ROW4(64 + 16, 4, 97), ROW4(64 + 32, 8, 101),
	ROW4(64 + 64, 16, 105), ROW4(64 + 128, 32, 109),
};

_Static_assert(CLASS_COUNT * 2 < 254, "a code fits a byte of the page tag, and 254 is a page run");
_Static_assert(OBJECT_MAX == OBJECT_CLASSES * 8, "one class for every 8 bytes");
