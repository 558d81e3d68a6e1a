/* SPDX-License-Identifier: MIT */
/*
 * Something for a compiler to chew on: templates of the standard library, instantiated for many types, and constant
 * evaluation. gcc.sh and clang.sh compile it, and run it to see that what came out works.
 */
#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

namespace {

template <int N> struct tagged {
	std::int64_t value;
	friend bool operator<(const tagged &a, const tagged &b) { return a.value % (N + 2) < b.value % (N + 2); }
};

template <int N> std::int64_t collected()
{
	std::map<std::string, std::vector<tagged<N>>> groups;
	std::set<std::tuple<int, std::string>> names;

	for (int i = 0; i < 200; i++) {
		groups["group " + std::to_string(i % (N + 3))].push_back({i * 7919 % 1009});
		names.emplace(i % 11, std::string(static_cast<std::size_t>(i % 40), 'n'));
	}
	std::int64_t sum = static_cast<std::int64_t>(names.size());
	for (auto &[name, members] : groups) {
		std::stable_sort(members.begin(), members.end());
		sum = std::accumulate(members.begin(), members.end(), sum * 31 % 1000003,
				      [](std::int64_t a, const tagged<N> &m) { return (a * 33 + m.value) % 1000003; });
	}
	return sum;
}

template <int... N> std::int64_t all(std::integer_sequence<int, N...>)
{
	return (collected<N>() + ...);
}

constexpr auto primes()
{
	std::array<int, 150> found{};
	int count = 0;

	for (int n = 2; count < static_cast<int>(found.size()); n++) {
		bool prime = true;
		for (int i = 0; i < count && found[static_cast<std::size_t>(i)] * found[static_cast<std::size_t>(i)] <= n; i++)
			prime = prime && n % found[static_cast<std::size_t>(i)] != 0;
		if (prime)
			found[static_cast<std::size_t>(count++)] = n;
	}
	return found;
}

} // namespace

int main()
{
	static constexpr auto table = primes();
	using value = std::variant<int, std::string, std::vector<double>>;
	std::unordered_map<std::string, std::unique_ptr<value>> values;
	std::ostringstream text;

	values["number"] = std::make_unique<value>(table.back());
	values["text"] = std::make_unique<value>(std::string("words and 123 numbers 456"));
	text << std::get<int>(*values["number"]) << ' ';
	text << std::get<std::string>(*values["text"]).size() << ' ';
	text << all(std::make_integer_sequence<int, 4>()) << '\n';
	std::cout << text.str();
}
