/* SPDX-License-Identifier: MIT */
/*
 * Every operator new and delete, the new_handler, std::bad_alloc, and containers handed round between threads. Proves
 * that the operators that the program is bound to are strata's, that they align, and that what they throw is caught.
 * Knows no test framework: it is built with several C++ libraries. Runs about a second.
 */
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

/* Weak: preloaded, it is not there when the program is linked. */
extern "C" __attribute__((weak)) size_t strata_usable_size(const void *block);

namespace
{

int failures;

void expect(bool condition, const char *what)
{
	if (condition)
		return;
	std::fprintf(stderr, "failed: %s\n", what);
	failures++;
}

/* Opaque, so that the compiler keeps every pair of new and delete. */
void *keep(void *block)
{
	__asm__ volatile("" : "+r"(block) : : "memory");
	return block;
}

const size_t huge = SIZE_MAX / 2 - 64;

void check_block(void *block, size_t size, size_t alignment, const char *what)
{
	expect(block != nullptr, what);
	if (!block)
		return;
	expect(reinterpret_cast<uintptr_t>(block) % alignment == 0, what);
	expect(strata_usable_size(block) >= size, what); /* aborts for a block that is not strata's */
	std::memset(keep(block), 0x5a, size);
}

void test_plain(size_t size)
{
	const size_t alignment = size >= 16 ? 16 : size >= 8 ? 8 : 1;
	void *block;

	check_block(block = operator new(size), size, alignment, "new");
	operator delete(block);
	check_block(block = operator new(size), size, alignment, "new, sized delete");
	operator delete(block, size);
	check_block(block = operator new[](size), size, alignment, "new[]");
	operator delete[](block);
	check_block(block = operator new[](size), size, alignment, "new[], sized delete[]");
	operator delete[](block, size);
	check_block(block = operator new(size, std::nothrow), size, alignment, "new nothrow");
	operator delete(block, std::nothrow);
	check_block(block = operator new[](size, std::nothrow), size, alignment, "new[] nothrow");
	operator delete[](block, std::nothrow);
}

void test_aligned(size_t size, size_t bytes)
{
	const std::align_val_t alignment{bytes};
	void *block;

	check_block(block = operator new(size, alignment), size, bytes, "aligned new");
	operator delete(block, alignment);
	check_block(block = operator new(size, alignment), size, bytes, "aligned new, sized delete");
	operator delete(block, size, alignment);
	check_block(block = operator new[](size, alignment), size, bytes, "aligned new[]");
	operator delete[](block, alignment);
	check_block(block = operator new[](size, alignment), size, bytes, "aligned new[], sized delete[]");
	operator delete[](block, size, alignment);
	check_block(block = operator new(size, alignment, std::nothrow), size, bytes, "aligned new nothrow");
	operator delete(block, alignment, std::nothrow);
	check_block(block = operator new[](size, alignment, std::nothrow), size, bytes, "aligned new[] nothrow");
	operator delete[](block, alignment, std::nothrow);
}

void test_null()
{
	operator delete(nullptr);
	operator delete[](nullptr);
	operator delete(nullptr, size_t{8});
	operator delete[](nullptr, size_t{8});
	operator delete(nullptr, std::align_val_t{64});
	operator delete[](nullptr, size_t{8}, std::align_val_t{64});
}

template <typename F> bool throws_bad_alloc(F allocate)
{
	try {
		keep(allocate());
	} catch (const std::bad_alloc &exception) {
		return exception.what() != nullptr && *exception.what() != '\0';
	} catch (...) {
		return false;
	}
	return false;
}

void test_refused(const char *when)
{
	const std::align_val_t page{4096};

	expect(throws_bad_alloc([] { return operator new(huge); }), when);
	expect(throws_bad_alloc([] { return operator new[](huge); }), when);
	expect(throws_bad_alloc([=] { return operator new(huge, page); }), when);
	expect(throws_bad_alloc([=] { return operator new[](huge, page); }), when);
	expect(operator new(huge, std::nothrow) == nullptr, when);
	expect(operator new[](huge, std::nothrow) == nullptr, when);
	expect(operator new(huge, page, std::nothrow) == nullptr, when);
	expect(operator new[](huge, page, std::nothrow) == nullptr, when);
}

int handler_calls;

void handler_that_gives_up()
{
	if (++handler_calls % 3 == 0)
		std::set_new_handler(nullptr);
}

void handler_that_throws()
{
	handler_calls++;
	throw std::bad_alloc();
}

/* Called for as long as it stays: three times, then none is set and the operator gives up. */
template <typename F> void expect_three_calls(F allocate, const char *what)
{
	handler_calls = 0;
	std::set_new_handler(handler_that_gives_up);
	allocate();
	expect(handler_calls == 3, what);
	expect(std::get_new_handler() == nullptr, what);
}

void test_handler()
{
	expect_three_calls([] { expect(throws_bad_alloc([] { return operator new(huge); }), "new"); },
	                   "handler of new");
	expect_three_calls([] { expect(!operator new(huge, std::nothrow), "nothrow"); }, "handler of new nothrow");
	expect_three_calls([] { expect(!operator new[](huge, std::align_val_t{64}, std::nothrow), "aligned nothrow"); },
	                   "handler of aligned new[] nothrow");
	handler_calls = 0;
	std::set_new_handler(handler_that_throws);
	test_refused("handler that throws");
	expect(handler_calls == 8, "handler that throws, one call for each operator");
	std::set_new_handler(nullptr);
}

struct alignas(256) Wide {
	unsigned char bytes[300];
};

/* The chain of objects, one of each kind of container, that the threads pass on. */
struct Parcel {
	std::vector<std::string> words;
	std::map<int, std::string> tree;
	std::unordered_map<std::string, std::shared_ptr<int>> table;
	std::list<std::unique_ptr<Wide>> wide;
};

std::unique_ptr<Parcel> parcel_make(int seed)
{
	auto parcel = std::make_unique<Parcel>();

	for (int i = 0; i < 60; i++) {
		const std::string word = "word " + std::to_string(seed) + std::string(static_cast<size_t>(i * 7), '.');

		parcel->words.push_back(word);
		parcel->tree[i] = word;
		parcel->table[word] = std::make_shared<int>(seed + i);
		if (i % 20 == 0) {
			parcel->wide.push_back(std::make_unique<Wide>());
			std::memset(parcel->wide.back()->bytes, seed & 0xff, sizeof(Wide));
		}
	}
	return parcel;
}

/* Seed -1: one that does not hold together. */
bool parcel_holds(const Parcel &parcel, int seed)
{
	for (int i = 0; i < 60; i++) {
		const std::string &word = parcel.words[static_cast<size_t>(i)];
		const auto found = parcel.table.find(word);

		if (parcel.tree.at(i) != word || found == parcel.table.end() || *found->second != seed + i)
			return false;
	}
	for (const auto &wide : parcel.wide)
		if (reinterpret_cast<uintptr_t>(wide.get()) % 256 != 0 || wide->bytes[299] != (seed & 0xff))
			return false;
	return true;
}

struct Mailbox {
	std::mutex lock;
	std::vector<std::pair<int, std::unique_ptr<Parcel>>> parcels;
	int broken = 0;
};

/* Puts a parcel made here into the box, takes one made elsewhere, verifies and frees it. */
void pass_parcels(Mailbox &box, int thread)
{
	for (int round = 0; round < 60; round++) {
		std::pair<int, std::unique_ptr<Parcel>> mine(thread * 1000 + round, parcel_make(thread * 1000 + round));
		std::pair<int, std::unique_ptr<Parcel>> other;
		{
			std::lock_guard<std::mutex> guard(box.lock);

			box.parcels.push_back(std::move(mine));
			if (box.parcels.size() > 8) {
				other = std::move(box.parcels.front());
				box.parcels.erase(box.parcels.begin());
			}
		}
		if (other.second && !parcel_holds(*other.second, other.first)) {
			std::lock_guard<std::mutex> guard(box.lock);

			box.broken++;
		}
	}
}

void test_threads()
{
	Mailbox box;
	std::vector<std::thread> threads;

	for (int i = 0; i < 8; i++)
		threads.emplace_back(pass_parcels, std::ref(box), i);
	for (std::thread &thread : threads)
		thread.join();
	for (const auto &parcel : box.parcels)
		expect(parcel_holds(*parcel.second, parcel.first), "a parcel left in the box");
	expect(box.broken == 0, "parcels passed between threads");
}

} // namespace

int main()
{
	if (!strata_usable_size) {
		std::fprintf(stderr, "failed: runs without strata\n");
		return 1;
	}
	for (size_t size : {0, 1, 7, 8, 9, 15, 16, 24, 100, 511, 512, 513, 4000, 70000, 3 << 20})
		test_plain(size);
	for (size_t alignment = 1; alignment <= 1 << 21; alignment *= 4)
		for (size_t size : {1, 40, 600, 5000, 200000})
			test_aligned(size, alignment);
	test_null();
	test_refused("no handler");
	test_handler();
	test_threads();
	test_refused("after load");
	return failures != 0;
}
