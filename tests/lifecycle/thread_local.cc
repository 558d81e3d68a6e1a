/* SPDX-License-Identifier: MIT */
/* C++ objects that belong to threads: built by the first use, destroyed at the thread's end, and allocate in both. */
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace
{

struct Journal {
	std::vector<std::string> lines;

	~Journal()
	{
		std::vector<std::string> copy = lines;

		for (std::string &line : copy)
			line += std::string(100, '.');
		lines.clear();
	}
};

thread_local Journal journal;
thread_local std::unique_ptr<Journal> late = std::make_unique<Journal>();
Journal of_process;

void write_journal()
{
	for (int i = 0; i < 50; i++) {
		journal.lines.push_back("a line that is longer than a short string " + std::to_string(i));
		late->lines.push_back(std::string(static_cast<size_t>(i) * 40, 'x'));
	}
}

} // namespace

int main()
{
	for (int round = 0; round < 20; round++) {
		std::vector<std::thread> threads;

		for (int i = 0; i < 8; i++)
			threads.emplace_back(write_journal);
		for (std::thread &thread : threads)
			thread.join();
	}
	write_journal();
	of_process = journal;
	return 0;
}
