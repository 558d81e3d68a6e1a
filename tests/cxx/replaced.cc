/* SPDX-License-Identifier: MIT */
/*
 * A program that replaces the plain forms of operator new and delete and leaves the others to strata, as the standard
 * allows ([new.delete]). The others must then be made of the replacements. These hand out the inside of a block, so
 * that a block that goes past them, on either way, is caught.
 */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wsized-deallocation"
#endif

static const size_t header = 64;
static const size_t refused = SIZE_MAX / 2;
static long live;

static void *take(size_t size)
{
	const size_t total = (size + 2 * header) & ~(header - 1);
	char *block = size < refused ? static_cast<char *>(std::aligned_alloc(header, total)) : nullptr;

	if (!block)
		throw std::bad_alloc();
	live++;
	return block + header;
}

static void give(void *block)
{
	if (!block)
		return;
	live--;
	std::free(static_cast<char *>(block) - header);
}

void *operator new(size_t size)
{
	return take(size);
}

void operator delete(void *block) noexcept
{
	give(block);
}

void *operator new(size_t size, std::align_val_t)
{
	return take(size);
}

void operator delete(void *block, std::align_val_t) noexcept
{
	give(block);
}

static int failures;

static void expect_live(long expected, const char *what)
{
	if (live != expected) {
		std::fprintf(stderr, "failed: %s: %ld blocks of the replacement live, not %ld\n", what, live, expected);
		failures++;
	}
}

static void expect_null(const void *block, const char *what)
{
	if (block) {
		std::fprintf(stderr, "failed: %s: not NULL\n", what);
		failures++;
	}
}

int main()
{
	const std::align_val_t wide{64};
	void *blocks[6] = {operator new[](40), operator new(40, std::nothrow), operator new[](40, std::nothrow),
	                   operator new[](40, wide), operator new(40, wide, std::nothrow),
	                   operator new[](40, wide, std::nothrow)};
	const long base = live - 6;

	expect_live(6, "every form of new");
	operator delete[](blocks[0], size_t{40});
	operator delete(blocks[1], size_t{40});
	operator delete[](blocks[2], std::nothrow);
	operator delete[](blocks[3], size_t{40}, wide);
	operator delete(blocks[4], size_t{40}, wide);
	operator delete[](blocks[5], wide, std::nothrow);
	expect_live(base, "every form of delete");
	operator delete[](operator new[](40));
	operator delete(operator new(40), std::nothrow);
	operator delete[](operator new[](40, wide), wide);
	operator delete(operator new(40, wide), wide, std::nothrow);
	expect_live(base, "the other forms of delete");
	expect_null(operator new(refused, std::nothrow), "nothrow");
	expect_null(operator new[](refused, std::nothrow), "nothrow array");
	expect_null(operator new[](refused, wide, std::nothrow), "nothrow aligned array");
	{
		std::vector<std::string> words(100, std::string(100, 'x'));

		expect_live(base + 101, "containers");
	}
	expect_live(base, "containers, after");
	return failures != 0;
}
