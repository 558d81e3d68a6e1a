/* SPDX-License-Identifier: MIT */
#include "bench.h"

void bench_register_all(void)
{
	load_pair_register();
	load_burst_register();
	load_slots_register();
	load_larson_register();
	load_xmalloc_register();
	load_sharing_register();
	load_large_register();
	load_phases_register();
	load_churn_register();
	load_realloc_register();
	load_objects_register();
	load_latency_register();
	load_typed_register();
	load_cpython_register();
}
