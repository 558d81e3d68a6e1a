/* SPDX-License-Identifier: MIT */
/*
 * A program that replaces those of the operators that are in the set REPLACED, and leaves the others to strata. Proves of every form
 * that it calls what the standard defines it by ([new.delete], "Default behavior") where that is replaced, once, and nothing else of
 * the program's: a plain operator never gets what an aligned one gave out.
 */
#include <cstdio>
#include <cstdlib>
#include <new>

#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wsized-deallocation"
#endif

/* The sets are sums of these. */
enum replaceable {
	NONE = 0,
	NEW = 1,
	NEW_ARRAY = 2,
	NEW_ALIGNED = 4,
	NEW_ARRAY_ALIGNED = 8,
	DELETE = 16,
	DELETE_ARRAY = 32,
	DELETE_ALIGNED = 64,
	DELETE_ARRAY_ALIGNED = 128,
};

static unsigned called, calls;

static void count(replaceable which)
{
	called |= which;
	calls++;
}

/* Blocks are all malloc's and aligned enough, so that each may be freed by any: what is asked is who was called. */
[[maybe_unused]] static void *take(replaceable which, size_t size)
{
	count(which);
	if (void *block = std::aligned_alloc(64, (size + 63) & ~size_t{63}))
		return block;
	throw std::bad_alloc();
}

[[maybe_unused]] static void give(replaceable which, void *block)
{
	count(which);
	std::free(block);
}

#if REPLACED & 1
void *operator new(size_t size)
{
	return take(NEW, size);
}
#endif
#if REPLACED & 2
void *operator new[](size_t size)
{
	return take(NEW_ARRAY, size);
}
#endif
#if REPLACED & 4
void *operator new(size_t size, std::align_val_t)
{
	return take(NEW_ALIGNED, size);
}
#endif
#if REPLACED & 8
void *operator new[](size_t size, std::align_val_t)
{
	return take(NEW_ARRAY_ALIGNED, size);
}
#endif
#if REPLACED & 16
void operator delete(void *block) noexcept
{
	give(DELETE, block);
}
#endif
#if REPLACED & 32
void operator delete[](void *block) noexcept
{
	give(DELETE_ARRAY, block);
}
#endif
#if REPLACED & 64
void operator delete(void *block, std::align_val_t) noexcept
{
	give(DELETE_ALIGNED, block);
}
#endif
#if REPLACED & 128
void operator delete[](void *block, std::align_val_t) noexcept
{
	give(DELETE_ARRAY_ALIGNED, block);
}
#endif

static int failures;

/* That of the form's two, the one next to it first, which the program has; or none of the program's. */
static void expect_called(replaceable first, replaceable second, const char *form)
{
	const unsigned expected = (REPLACED & first) ? first : REPLACED & second;

	if (called != expected || calls != (expected != NONE)) {
		std::fprintf(stderr, "failed: %s with %d replaced: %u calls of %u, not of %u\n", form, REPLACED, calls, called,
		             expected);
		failures++;
	}
	called = calls = 0;
}

static const std::align_val_t wide{64};

static void test_plain()
{
	void *block;

	block = operator new(40);
	expect_called(NEW, NONE, "new");
	operator delete(block);
	expect_called(DELETE, NONE, "delete");
	block = operator new(40, std::nothrow);
	expect_called(NEW, NONE, "new nothrow");
	operator delete(block, std::nothrow);
	expect_called(DELETE, NONE, "delete nothrow");
	block = operator new(40);
	expect_called(NEW, NONE, "new");
	operator delete(block, size_t{40});
	expect_called(DELETE, NONE, "delete sized");
}

static void test_array()
{
	void *block;

	block = operator new[](40);
	expect_called(NEW_ARRAY, NEW, "new[]");
	operator delete[](block);
	expect_called(DELETE_ARRAY, DELETE, "delete[]");
	block = operator new[](40, std::nothrow);
	expect_called(NEW_ARRAY, NEW, "new[] nothrow");
	operator delete[](block, std::nothrow);
	expect_called(DELETE_ARRAY, DELETE, "delete[] nothrow");
	block = operator new[](40);
	expect_called(NEW_ARRAY, NEW, "new[]");
	operator delete[](block, size_t{40});
	expect_called(DELETE_ARRAY, DELETE, "delete[] sized");
}

static void test_aligned()
{
	void *block;

	block = operator new(40, wide);
	expect_called(NEW_ALIGNED, NONE, "aligned new");
	operator delete(block, wide);
	expect_called(DELETE_ALIGNED, NONE, "aligned delete");
	block = operator new(40, wide, std::nothrow);
	expect_called(NEW_ALIGNED, NONE, "aligned new nothrow");
	operator delete(block, wide, std::nothrow);
	expect_called(DELETE_ALIGNED, NONE, "aligned delete nothrow");
	block = operator new(40, wide);
	expect_called(NEW_ALIGNED, NONE, "aligned new");
	operator delete(block, size_t{40}, wide);
	expect_called(DELETE_ALIGNED, NONE, "aligned delete sized");
}

static void test_aligned_array()
{
	void *block;

	block = operator new[](40, wide);
	expect_called(NEW_ARRAY_ALIGNED, NEW_ALIGNED, "aligned new[]");
	operator delete[](block, wide);
	expect_called(DELETE_ARRAY_ALIGNED, DELETE_ALIGNED, "aligned delete[]");
	block = operator new[](40, wide, std::nothrow);
	expect_called(NEW_ARRAY_ALIGNED, NEW_ALIGNED, "aligned new[] nothrow");
	operator delete[](block, wide, std::nothrow);
	expect_called(DELETE_ARRAY_ALIGNED, DELETE_ALIGNED, "aligned delete[] nothrow");
	block = operator new[](40, wide);
	expect_called(NEW_ARRAY_ALIGNED, NEW_ALIGNED, "aligned new[]");
	operator delete[](block, size_t{40}, wide);
	expect_called(DELETE_ARRAY_ALIGNED, DELETE_ALIGNED, "aligned delete[] sized");
}

int main()
{
	/* What the C++ library has allocated before. */
	called = calls = 0;
	test_plain();
	test_array();
	test_aligned();
	test_aligned_array();
	return failures != 0;
}
