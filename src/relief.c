/* SPDX-License-Identifier: MIT */
#include "relief.h"

#include "arena_purge.h"
#include "emergency.h"
#include "options.h"
#include "pressure_handler.h"
#include "region.h"
#include "run.h"
#include "thread.h"
#include "trim.h"

/* A request that no relief can serve: a program that asks for the impossible does not make others suffer. */
static bool is_hopeless(const struct relief *relief)
{
	size_t limit = options()->limit_bytes;
	return !run_may_fit(relief->size, relief->alignment) || (limit != 0 && relief->size > limit);
}

/* As much as the request needs, beside what it is claimed with. */
static bool purge_some(size_t size)
{
	size_t wanted = size + ARENA_SIZE;
	size_t purged = 0;
	for (uint32_t looked = 0; looked < region_arenas() && purged < wanted; looked += PURGE_SCAN)
		purged += arena_purge(wanted - purged, 0);
	return purged > 0;
}

static bool trim(void)
{
	trim_all(CALLBACKS_MAY_NOT);
	return true;
}

/* Where it would serve nobody it stays. Another thread may just have given it back, for its own request. */
static bool reserve_gave(struct relief *relief)
{
	size_t more = relief->size > relief->has ? relief->size - relief->has : 0;
	if (emergency_would_serve(more) && emergency_release()) {
		relief->releases = emergency_releases();
		handler_call(STRATA_PRESSURE_EMERGENCY);
		return true;
	}
	uint32_t before = relief->releases;
	relief->releases = emergency_releases();
	return relief->releases != before;
}

bool relief_gave(struct relief *relief)
{
	if (thread_self.trial)
		return false;
	switch (relief->stage++) {
	case 0:
		relief->releases = emergency_releases();
		if (is_hopeless(relief)) {
			relief->stage = 5;
			return false;
		}
		if (purge_some(relief->size))
			return true;
		relief->stage++;
		/* fall through */
	case 1:
		return trim();
	case 2:
		if (reserve_gave(relief))
			return true;
		relief->stage++;
		/* fall through */
	case 3:
		if (handler_call(STRATA_PRESSURE_REFUSED))
			return trim();
		relief->stage++;
		/* fall through */
	case 4:
		return reserve_gave(relief);
	default:
		return false;
	}
}
