/* SPDX-License-Identifier: MIT */
/* C++ that comes into a C program by dlopen, its C++ library with it. Returns 0 or the number of the line that
 * failed. */
#include <cstdint>
#include <map>
#include <new>
#include <string>

static int handler_calls;

static void handler_that_throws()
{
	handler_calls++;
	throw std::bad_alloc();
}

static void handler_once()
{
	handler_calls++;
	std::set_new_handler(nullptr);
}

static bool is_refused()
{
	try {
		operator delete(operator new(SIZE_MAX / 2 - 64));
		return false;
	} catch (const std::bad_alloc &) {
		return true;
	}
}

static int containers()
{
	std::map<int, std::string> map;

	for (int i = 0; i < 1000; i++)
		map[i] = std::string(static_cast<size_t>(i), 'x');
	for (int i = 0; i < 1000; i++)
		if (map[i].size() != static_cast<size_t>(i))
			return 1;
	return 0;
}

extern "C" int plugin_run()
{
	if (containers() || !is_refused())
		return __LINE__;
	if (operator new(SIZE_MAX / 2 - 64, std::nothrow) != nullptr)
		return __LINE__;
	std::set_new_handler(handler_once);
	if (!is_refused() || handler_calls != 1)
		return __LINE__;
	std::set_new_handler(handler_that_throws);
	if (!is_refused() || handler_calls != 2)
		return __LINE__;
	if (operator new[](SIZE_MAX / 2 - 64, std::nothrow) != nullptr || handler_calls != 3)
		return __LINE__;
	if (operator new(SIZE_MAX / 2 - 64, std::align_val_t{64}, std::nothrow) != nullptr || handler_calls != 4)
		return __LINE__;
	std::set_new_handler(nullptr);
	return 0;
}
