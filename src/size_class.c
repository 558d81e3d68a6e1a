/* SPDX-License-Identifier: MIT */
#include "size_class.h"

/* How many pages make a pool of a medium class: few, so that pools come home, but with little left over at their end
 * (at most 2 % but for 3840 bytes, 6 %). */
#define ENTRY(bytes, page_count, offset)                                                                     \
	{ .size = (bytes), .inverse = (uint32_t)(((UINT64_C(1) << 32) + (bytes) - 1) / (bytes)),             \
	  .capacity = ((page_count) * 4096 - (offset)) / (bytes), .pages = (page_count), .start = (offset) }

#define OBJECT(n) [n] = ENTRY(8 * (n), 1, 0)
#define OBJECT8(n) OBJECT(n), OBJECT(n + 1), OBJECT(n + 2), OBJECT(n + 3), OBJECT(n + 4), OBJECT(n + 5), \
		   OBJECT(n + 6), OBJECT(n + 7)

const struct size_class size_classes[CLASS_COUNT] = {
	[1] = ENTRY(8, 1, 64),
	OBJECT(2), OBJECT(3), OBJECT(4), OBJECT(5), OBJECT(6), OBJECT(7), OBJECT(8),
	OBJECT8(9), OBJECT8(17), OBJECT8(25), OBJECT8(33), OBJECT8(41), OBJECT8(49), OBJECT8(57),

	[65] = ENTRY(576, 2, 0), [66] = ENTRY(640, 3, 0), [67] = ENTRY(704, 4, 0), [68] = ENTRY(768, 3, 0),
	[69] = ENTRY(832, 6, 0), [70] = ENTRY(896, 2, 0), [71] = ENTRY(960, 4, 0), [72] = ENTRY(1024, 4, 0),
	[73] = ENTRY(1152, 4, 0), [74] = ENTRY(1280, 5, 0), [75] = ENTRY(1408, 7, 0), [76] = ENTRY(1536, 3, 0),
	[77] = ENTRY(1664, 7, 0), [78] = ENTRY(1792, 4, 0), [79] = ENTRY(1920, 8, 0), [80] = ENTRY(2048, 4, 0),
	[81] = ENTRY(2304, 4, 0), [82] = ENTRY(2560, 5, 0), [83] = ENTRY(2816, 7, 0), [84] = ENTRY(3072, 6, 0),
	[85] = ENTRY(3328, 9, 0), [86] = ENTRY(3584, 7, 0), [87] = ENTRY(3840, 4, 0), [88] = ENTRY(4096, 4, 0),
	[89] = ENTRY(5120, 5, 0), [90] = ENTRY(6144, 6, 0), [91] = ENTRY(7168, 7, 0), [92] = ENTRY(8192, 4, 0),
	[93] = ENTRY(10240, 5, 0), [94] = ENTRY(12288, 6, 0), [95] = ENTRY(14336, 7, 0), [96] = ENTRY(16384, 8, 0),
	[97] = ENTRY(20480, 5, 0), [98] = ENTRY(24576, 6, 0), [99] = ENTRY(28672, 7, 0), [100] = ENTRY(32768, 8, 0),
	[101] = ENTRY(40960, 10, 0), [102] = ENTRY(49152, 12, 0), [103] = ENTRY(57344, 14, 0), [104] = ENTRY(65536, 16, 0),
	[105] = ENTRY(81920, 20, 0), [106] = ENTRY(98304, 24, 0), [107] = ENTRY(114688, 28, 0), [108] = ENTRY(131072, 32, 0),
	[109] = ENTRY(163840, 40, 0), [110] = ENTRY(196608, 48, 0), [111] = ENTRY(229376, 56, 0), [112] = ENTRY(262144, 64, 0),
};

/* 16 * (n - 1) < size <= 16 * n: class 2 * n, code 4 * n. */
#define SIXTEEN(n) [16 * (n) - 15 ... 16 * (n)] = 4 * (n)
#define SIXTEENS(n) SIXTEEN(n), SIXTEEN(n + 1), SIXTEEN(n + 2), SIXTEEN(n + 3)

const uint8_t object_code_aligned16[OBJECT_MAX + 1] STRATA_ALIGNED(CACHE_LINE) = {
	[0 ... 8] = 2, [9 ... 16] = 4, SIXTEEN(2), SIXTEEN(3), SIXTEEN(4),
	SIXTEENS(5), SIXTEENS(9), SIXTEENS(13), SIXTEENS(17), SIXTEENS(21), SIXTEENS(25), SIXTEENS(29),
};

/* Eight classes in a row from first, each of width entries, beginning at entry at. */
#define ROW4(at, width, first)                                    \
	[(at) ... (at) + (width) - 1] = 2 * (first),              \
	[(at) + (width) ... (at) + 2 * (width) - 1] = 2 * (first) + 2, \
	[(at) + 2 * (width) ... (at) + 3 * (width) - 1] = 2 * (first) + 4, \
	[(at) + 3 * (width) ... (at) + 4 * (width) - 1] = 2 * (first) + 6
#define ROW8(at, width, first) ROW4(at, width, first), ROW4((at) + 4 * (width), width, (first) + 4)

const uint8_t medium_codes[320] STRATA_ALIGNED(CACHE_LINE) = {
	ROW8(8, 1, 65), ROW8(16, 2, 73), ROW8(32, 4, 81),
	ROW4(64 + 4, 1, 89), ROW4(64 + 8, 2, 93), ROW4(64 + 16, 4, 97), ROW4(64 + 32, 8, 101),
	ROW4(64 + 64, 16, 105), ROW4(64 + 128, 32, 109),
};

_Static_assert(CLASS_COUNT * 2 < 254, "a code fits a byte of the page tag, and 254 is a page run");
_Static_assert(OBJECT_MAX == OBJECT_CLASSES * 8, "one class for every 8 bytes");
