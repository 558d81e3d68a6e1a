/* SPDX-License-Identifier: MIT */
/*
 * Google Benchmark behind the C interface of bench.h: chooses the number of calls, prints the results. This is the only
 * C++ file. Usage:
 *
 *	loads --list                                     the loads, each with its set
 *	loads NAME [--benchmark_min_time=0.2] [--benchmark_format=json]  runs one, with any option of Google Benchmark
 *
 * The counters: ns (wall clock for an operation), best_ns (in the fastest call), cpu_ns (processor time), ops, verified
 * (blocks), live_peak, base_rss, peak_rss, steady_rss (bytes), and what the load adds.
 */
#include "bench.h"

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstring>

static const char *const set_names[] = {"main", "scaling", "surface", "more"};

static void run(benchmark::State &state, size_t number)
{
	/* Called again for the same load when the first calls took too short. */
	static bench_run *current = bench_start(number);
	bench_result result;

	bench_begin(current);
	for (auto _ : state)
		state.SetIterationTime(bench_once(current));
	bench_end(current, &result);

	double ops = result.ops ? static_cast<double>(result.ops) : 1;

	state.counters["ns"] = result.seconds * 1e9 / ops;
	state.counters["best_ns"] = result.best_seconds * 1e9;
	state.counters["cpu_ns"] = result.cpu_seconds * 1e9 / ops;
	state.counters["ops"] = ops;
	state.counters["verified"] = static_cast<double>(result.verified);
	state.counters["live_peak"] = static_cast<double>(result.live_peak);
	state.counters["base_rss"] = static_cast<double>(result.base_rss);
	state.counters["peak_rss"] = static_cast<double>(result.peak_rss);
	state.counters["steady_rss"] = static_cast<double>(result.steady_rss);
	for (unsigned i = 0; i < result.extras; i++)
		state.counters[result.extra[i].name] = result.extra[i].value;
}

int main(int count, char **arguments)
{
	size_t loads = bench_loads();

	if (count == 2 && std::strcmp(arguments[1], "--list") == 0) {
		for (size_t i = 0; i < loads; i++)
			std::printf("%s %s\n", bench_load_name(i), set_names[bench_load_set(i)]);
		return 0;
	}
	for (size_t i = 0; count > 1 && i < loads; i++)
		if (std::strcmp(arguments[1], bench_load_name(i)) == 0)
			benchmark::RegisterBenchmark(arguments[1], run, i)
				->UseManualTime()
				->Unit(benchmark::kMicrosecond);
	if (count > 1) { /* the name is not Google Benchmark's */
		arguments[1] = arguments[0];
		arguments++;
		count--;
	}
	benchmark::Initialize(&count, arguments);
	if (benchmark::ReportUnrecognizedArguments(count, arguments))
		return 1;
	if (!benchmark::RunSpecifiedBenchmarks()) {
		std::fputs("usage: loads --list | loads NAME [options of Google Benchmark]\n", stderr);
		return 1;
	}
	bench_stop();
	return 0;
}
