// SPDX-License-Identifier: MIT
// strata.hpp: containers on each domain's allocator and resource and on a typed list, filled, verified and handed to
// another thread that drops them; alignment; refusal; and all accounts back at zero.
#include <strata/strata.hpp>

#include <cstdio>
#include <cstring>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

static void expect(bool holds, const char *what, int line)
{
	if (holds)
		return;
	std::fprintf(stderr, "containers.cc:%d: %s\n", line, what);
	std::_Exit(1);
}
#define EXPECT(condition) expect(condition, #condition, __LINE__)

static const int threads = 4, rounds = 12, items = 400;

static std::uint64_t drawn(std::uint64_t &state)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

template <class T>
static bool aligned(const T &object)
{
	return reinterpret_cast<std::uintptr_t>(&object) % alignof(T) == 0;
}

template <std::size_t Alignment>
struct alignas(Alignment) over {
	std::uint64_t value;
};

// Every container at once, so that their blocks lie between each other.
template <class Vector, class String, class List, class Deque, class Map, class Hash, class Wide>
struct bundle {
	std::uint64_t seed;
	Vector vector;
	List list;
	Deque deque;
	Map map;
	Hash hash;
	Wide wide;

	template <class Source>
	bundle(std::uint64_t from, Source source)
	    : seed(from), vector(source), list(source), deque(source), map(source), hash(source), wide(source)
	{
	}

	static typename Vector::value_type text(std::uint64_t value, const Vector &like)
	{
		return typename Vector::value_type(value % 90, char('a' + value % 26), like.get_allocator());
	}
	void fill()
	{
		std::uint64_t state = seed;
		for (int i = 0; i < items; i++) {
			std::uint64_t value = drawn(state);
			vector.push_back(text(value, vector));
			list.push_front(value);
			deque.push_back(value);
			map.emplace(i, value);
			hash.emplace(i, value);
			wide.push_back({value});
		}
		for (int i = 0; i < items; i += 3) {
			map.erase(i);
			hash.erase(i);
		}
	}
	void verify() const
	{
		std::uint64_t state = seed;
		auto node = list.rbegin();
		for (int i = 0; i < items; i++, ++node) {
			std::uint64_t value = drawn(state);
			EXPECT(vector[i] == text(value, vector));
			EXPECT(*node == value && deque[i] == value);
			EXPECT(wide[i].value == value && aligned(wide[i]));
			EXPECT(map.count(i) == hash.count(i) && map.count(i) == (i % 3 != 0));
			EXPECT(i % 3 == 0 || (map.at(i) == value && hash.at(i) == value));
		}
	}
};

template <enum strata_domain D>
using word = std::basic_string<char, std::char_traits<char>, strata::allocator<char, D>>;
template <class T, enum strata_domain D>
using of = strata::allocator<T, D>;
using pair_of_ints = std::pair<const int, std::uint64_t>;

template <enum strata_domain D>
using allocated = bundle<std::vector<word<D>, of<word<D>, D>>, word<D>, std::list<std::uint64_t, of<std::uint64_t, D>>,
                         std::deque<std::uint64_t, of<std::uint64_t, D>>,
                         std::map<int, std::uint64_t, std::less<int>, of<pair_of_ints, D>>,
                         std::unordered_map<int, std::uint64_t, std::hash<int>, std::equal_to<int>, of<pair_of_ints, D>>,
                         std::vector<over<64>, of<over<64>, D>>>;

// A bundle made here and verified here, verified again and dropped by another thread.
template <class Bundle, class Source>
static void hand_over(std::uint64_t seed, Source source)
{
	auto *made = new Bundle(seed, source);
	made->fill();
	made->verify();
	std::thread([made] {
		made->verify();
		delete made;
	}).join();
}

static strata_domain_stats stats(enum strata_domain domain)
{
	strata_domain_stats read;
	EXPECT(strata_domain_stats_read(domain, &read, sizeof read) == 0);
	return read;
}

static void expect_idle()
{
	for (int domain = STRATA_DOMAIN_RAW; domain < STRATA_DOMAIN_TYPED; domain++) {
		strata_domain_stats now = stats(static_cast<enum strata_domain>(domain));
		EXPECT(now.live_blocks == 0 && now.live_bytes == 0);
	}
}

template <class Work>
static void in_threads(Work work)
{
	std::vector<std::thread> running;
	for (int i = 0; i < threads; i++)
		running.emplace_back([i, work] {
			for (int round = 0; round < rounds; round++)
				work(std::uint64_t(i * rounds + round + 1) * 0x9e3779b97f4a7c15u);
		});
	for (auto &thread : running)
		thread.join();
}

template <enum strata_domain D>
static void test_allocator()
{
	std::uint64_t before = stats(D).allocations;
	in_threads([](std::uint64_t seed) { hand_over<allocated<D>>(seed, of<char, D>()); });
	EXPECT(stats(D).allocations > before + threads * rounds * items);
	expect_idle();
}

template <std::size_t Alignment, enum strata_domain D>
static void test_alignment()
{
	for (std::size_t n = 0; n < 40; n++) {
		strata::allocator<over<Alignment>, D> source;
		auto *block = source.allocate(n);
		EXPECT(aligned(*block));
		std::memset(static_cast<void *>(block), 0x5a, n * sizeof *block);
		source.deallocate(block, n);
	}
}

template <enum strata_domain D>
static void test_alignments()
{
	test_alignment<8, D>();
	test_alignment<16, D>();
	test_alignment<32, D>();
	test_alignment<64, D>();
	test_alignment<512, D>();
	test_alignment<4096, D>();
	test_alignment<65536, D>();
	expect_idle();
}

template <class Work>
static bool refused(Work work)
{
	try {
		work();
	} catch (const std::bad_alloc &) {
		return true;
	}
	return false;
}

static void test_refused()
{
	strata::allocator<over<16>> source;
	EXPECT(refused([&] { source.deallocate(source.allocate(SIZE_MAX / 16), 0); }));
	EXPECT(refused([&] { source.deallocate(source.allocate(PTRDIFF_MAX / 16 + 1), 0); }));
	strata_domain_quota quota = {};
	quota.hard_bytes = 1 << 20;
	EXPECT(strata_domain_set_quota(STRATA_DOMAIN_OBJ, &quota) == 0);
	std::vector<char, strata::allocator<char>> small(1000);
	EXPECT(refused([&] { small.resize(4 << 20); }));
	EXPECT(small.size() == 1000);
	EXPECT(strata_domain_set_quota(STRATA_DOMAIN_OBJ, nullptr) == 0);
	small.resize(4 << 20);
}

struct point {
	std::uint64_t x, y, *count;
	point(std::uint64_t at, std::uint64_t *counter) : x(at), y(~at), count(counter)
	{
		if (at == UINT64_MAX)
			throw std::runtime_error("refused by its constructor");
		++*count;
	}
	point(const point &) = delete;
	point &operator=(const point &) = delete;
	~point() { --*count; }
};

static strata_type_stats stats(strata_type *type)
{
	strata_type_stats read;
	EXPECT(strata_type_stats_read(type, &read, sizeof read) == 0);
	return read;
}

static void test_unique()
{
	strata::object_type<point> points("point");
	in_threads([&points](std::uint64_t seed) {
		std::uint64_t count = 0;
		std::vector<strata::unique_ptr<point>> made;
		for (int i = 0; i < items; i++)
			made.push_back(strata::make_unique(points, seed + i, &count));
		EXPECT(count == std::uint64_t(items));
		for (int i = 0; i < items; i++)
			EXPECT(made[i]->x == seed + i && made[i]->y == ~(seed + i) && aligned(*made[i]));
		std::thread([&made] { made.clear(); }).join();
		EXPECT(count == 0);
	});
	bool thrown = false;
	try {
		std::uint64_t count = 0;
		auto none = strata::make_unique<point>(points.get(), UINT64_MAX, &count);
	} catch (const std::runtime_error &) {
		thrown = true;
	}
	EXPECT(thrown && stats(points.get()).live_objects == 0);

	strata::object_type<over<256>> wide("wide");
	for (int i = 0; i < 100; i++)
		EXPECT(aligned(*strata::make_unique(wide)));
}

#if STRATA_HAVE_PMR
template <class T>
using on = strata::pmr::polymorphic_allocator<T>;
using pmr_word = std::basic_string<char, std::char_traits<char>, on<char>>;
using pooled =
    bundle<std::vector<pmr_word, on<pmr_word>>, pmr_word, std::list<std::uint64_t, on<std::uint64_t>>,
           std::deque<std::uint64_t, on<std::uint64_t>>, std::map<int, std::uint64_t, std::less<int>, on<pair_of_ints>>,
           std::unordered_map<int, std::uint64_t, std::hash<int>, std::equal_to<int>, on<pair_of_ints>>,
           std::vector<over<64>, on<over<64>>>>;

template <enum strata_domain D>
static void test_resource()
{
	std::uint64_t before = stats(D).allocations;
	in_threads([](std::uint64_t seed) { hand_over<pooled>(seed, strata::resource<D>()); });
	EXPECT(stats(D).allocations > before + threads * rounds * items);
	expect_idle();

	strata::domain_resource<D> other;
	EXPECT(other.is_equal(*strata::resource<D>()));
	EXPECT(!other.is_equal(*strata::pmr::new_delete_resource()));
	for (std::size_t alignment = 1; alignment <= 65536; alignment *= 2)
		for (std::size_t size = 0; size < 600; size += 7) {
			void *block = other.allocate(size, alignment);
			EXPECT(reinterpret_cast<std::uintptr_t>(block) % alignment == 0);
			std::memset(block, 0x5a, size);
			other.deallocate(block, size, alignment);
		}
	volatile std::size_t all = SIZE_MAX; // the compiler would warn of a constant
	EXPECT(refused([&] { other.deallocate(other.allocate(all, 16), all, 16); }));
	expect_idle();
}

// Nodes on the typed list, everything larger in the domain above it.
static void test_type_resource()
{
	strata::object_type<over<16>[3]> nodes("node");
	strata::type_resource source(nodes), same(nodes), other(nodes, strata::resource<STRATA_DOMAIN_BUF>());
	EXPECT(source.is_equal(same) && !source.is_equal(other) && !source.is_equal(*strata::resource<>()));
	in_threads([&source](std::uint64_t seed) { hand_over<pooled>(seed, &source); });
	strata_type_stats typed = stats(nodes.get());
	EXPECT(typed.hits + typed.misses > std::uint64_t(threads) * rounds * items * 2);
	EXPECT(typed.live_objects == 0);
	expect_idle();
}
#endif

int main()
{
	test_allocator<STRATA_DOMAIN_RAW>();
	test_allocator<STRATA_DOMAIN_MEM>();
	test_allocator<STRATA_DOMAIN_OBJ>();
	test_allocator<STRATA_DOMAIN_BUF>();
	test_alignments<STRATA_DOMAIN_RAW>();
	test_alignments<STRATA_DOMAIN_OBJ>();
	test_refused();
	test_unique();
#if STRATA_HAVE_PMR
	test_resource<STRATA_DOMAIN_RAW>();
	test_resource<STRATA_DOMAIN_MEM>();
	test_resource<STRATA_DOMAIN_OBJ>();
	test_resource<STRATA_DOMAIN_BUF>();
	test_type_resource();
#else
	std::puts("no memory resources in this C++ library");
#endif
	expect_idle();
	return 0;
}
