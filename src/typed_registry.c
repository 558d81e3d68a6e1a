/* SPDX-License-Identifier: MIT */
/* Types: registered, unregistered, bounded, counted. The control plane: nothing here is on the way of an object. */
#include "core.h"
#include "typed_below.h"
#include "typed_cache.h"
#include "typed_depot.h"
#include "typed_idle.h"
#include "typed_slow.h"

#include <errno.h>
#include <string.h>

STRATA_LARGE strata_type type_records[RECORD_COUNT];

/* One for each type; a type has at least one record. */
static STRATA_LARGE struct type types[RECORD_COUNT];

/* Incremented by whoever registers, read by all. Relaxed: they say only how far to look; whether a type is there yet says its
 * state, and whether a record has one its type. */
static STRATA_READ_MOSTLY _Atomic uint32_t types_used;
static _Atomic uint32_t records_used;

unsigned type_count(void)
{
	return (unsigned)size_min(atomic_load_explicit(&types_used, memory_order_relaxed), RECORD_COUNT);
}

unsigned type_record_count(void)
{
	return (unsigned)size_min(atomic_load_explicit(&records_used, memory_order_relaxed), RECORD_COUNT);
}

struct type *type_at(unsigned number)
{
	return &types[number];
}

/* ---- State ---------------------------------------------------------------------------------------------------------- */

/* The calling thread's, the innermost first: what is left of all threads' in the child of its fork. */
static __thread struct type_walk *own_walks;

/* Not inlined: gcc takes it that a walk on the stack outlives its function. */
STRATA_NOINLINE static void note_walk(struct type_walk *walk, struct type *type, bool closes)
{
	*walk = (struct type_walk){ type, own_walks, closes };
	own_walks = walk;
}

/* Acquire: the records are those of a registered type; partner: the release in strata_type_register. */
bool type_walk_begin(struct type_walk *walk, struct type *type, enum typed_callbacks callbacks)
{
	if (type == NULL)
		return false;
	uint32_t state = atomic_load_explicit(&type->state, memory_order_acquire);
	do {
		if ((state & TYPE_PHASE_MASK) != TYPE_LIVE)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&type->state, &state, state + TYPE_WALKER, memory_order_acquire,
							memory_order_acquire));
	note_walk(walk, type, false);
	if (callbacks == CALLBACKS_MAY_RUN || type->destroy == NULL)
		return true;
	type_walk_end(walk);
	return false;
}

/* Release: what was done to the lists; partner: the acquire in close_type. */
void type_walk_end(struct type_walk *walk)
{
	own_walks = walk->outer;
	atomic_fetch_sub_explicit(&walk->type->state, TYPE_WALKER, memory_order_release);
}

/* A type that another thread was unregistering is caught half-way: its records are never used again. */
static uint32_t state_in_child(const struct type *type, uint32_t phase)
{
	uint32_t state = phase == TYPE_CLOSING ? TYPE_NONE : phase;
	for (const struct type_walk *walk = own_walks; walk != NULL; walk = walk->outer)
		if (walk->type == type)
			state = walk->closes ? TYPE_CLOSING : state + TYPE_WALKER;
	return state;
}

bool type_fork_child(void)
{
	bool others = false;
	for (unsigned i = 0; i < type_count(); i++) {
		uint32_t state = atomic_load(&types[i].state);
		uint32_t left = state_in_child(&types[i], state & TYPE_PHASE_MASK);
		others |= left != state;
		atomic_store(&types[i].state, left);
	}
	return others;
}

/* ---- Registering ---------------------------------------------------------------------------------------------------- */

#define DEFAULT_LENGTH 20u
#define MOST_LENGTH 256u
#define DEFAULT_KEEP ((size_t)1024)
#define DEFAULT_KEEP_TABLE ((size_t)512) /* a dict's: it has to be zeroed for the next one, which may not need it */
#define DEFAULT_OBJECTS ((size_t)8000)
#define MOST_OBJECTS (((size_t)1 << KEPT_SHIFT) - 1)
#define DEFAULT_BYTES ((size_t)512 << 10)

/* What a bound in bytes reckons for the buffer of each object, whatever it has; all of a list together may not have more. */
#define BUFFER_WEIGHT ((size_t)512)

static size_t or_default(size_t value, size_t by_default)
{
	return value != 0 ? value : by_default;
}

static bool is_buffered(const struct strata_type_info *info)
{
	return info->shape == STRATA_LIST || info->shape == STRATA_DICT;
}

/* Within the header, aligned, below the records' 16 bits. */
static bool is_field(const struct strata_type_info *info, size_t offset)
{
	return offset % sizeof(void *) == 0 && offset <= UINT16_MAX && info->size >= sizeof(void *) &&
	       offset <= info->size - sizeof(void *);
}

static size_t alignment_of(const struct strata_type_info *info)
{
	return or_default(info->alignment, info->size >= 16 || info->shape == STRATA_TUPLE ? 16 : 8);
}

static bool is_sound(const struct strata_type_info *info)
{
	size_t alignment = alignment_of(info);
	if (info->name == NULL || (unsigned)info->shape > STRATA_DICT || info->size > UINT32_MAX ||
	    (info->size == 0 && info->shape != STRATA_TUPLE))
		return false;
	if (!is_power_of_two(alignment) || alignment > PAGE_SIZE || info->max_length > MOST_LENGTH)
		return false;
	if (info->shape == STRATA_FIXED)
		return true;
	if (info->item_size == 0 || info->item_size > UINT32_MAX)
		return false;
	if (!is_buffered(info))
		return (UINT32_MAX - info->size) / info->item_size >= or_default(info->max_length, DEFAULT_LENGTH);
	size_t apart = info->buffer_offset > info->capacity_offset ? info->buffer_offset - info->capacity_offset :
								     info->capacity_offset - info->buffer_offset;
	return is_field(info, info->buffer_offset) && is_field(info, info->capacity_offset) && apart >= sizeof(void *);
}

static uint32_t records_for(const struct strata_type_info *info)
{
	if (info->shape == STRATA_TUPLE)
		return 2 + (uint32_t)or_default(info->max_length, DEFAULT_LENGTH);
	return is_buffered(info) ? 2 : 1;
}

/* Takes from a count that only grows; most when there is not enough left. */
static uint32_t take_numbers(_Atomic uint32_t *used, uint32_t count, uint32_t most)
{
	uint32_t first = atomic_load_explicit(used, memory_order_relaxed);
	do {
		if (most - first < count)
			return most;
	} while (!atomic_compare_exchange_weak(used, &first, first + count));
	return first;
}

/* The place of one that was unregistered which has room for so many records, as few more as there is, up to most. */
static struct type *find_gone(uint32_t records, uint32_t most)
{
	struct type *best = NULL;
	for (unsigned i = 0; i < type_count(); i++) {
		if (atomic_load(&types[i].state) != TYPE_GONE || types[i].record_room < records || types[i].record_room > most)
			continue;
		if (best == NULL || types[i].record_room < best->record_room)
			best = &types[i];
	}
	return best;
}

static struct type *reuse_type(uint32_t records, uint32_t most)
{
	struct type *type;
	uint32_t gone;
	do {
		gone = TYPE_GONE;
		type = find_gone(records, most);
	} while (type != NULL && !atomic_compare_exchange_strong(&type->state, &gone, TYPE_NONE));
	return type;
}

/* Records that were never used: a stale handle is found as long as nobody else has it. */
static struct type *unused_type(uint32_t records)
{
	uint32_t first = take_numbers(&records_used, records, RECORD_COUNT);
	if (first == RECORD_COUNT)
		return NULL;
	struct type *type = &types[take_numbers(&types_used, 1, RECORD_COUNT)];
	type->records = &type_records[first];
	type->record_room = records;
	return type;
}

/* Once half of the records are used the rest is for types of a size that has not been there: a program that registers one type again and
 * again leaves room for others. */
static struct type *new_type(uint32_t records)
{
	struct type *type = NULL;
	if (type_record_count() > RECORD_COUNT / 2)
		type = reuse_type(records, records);
	if (type == NULL)
		type = unused_type(records);
	if (type == NULL)
		type = reuse_type(records, RECORD_COUNT);
	if (type != NULL)
		type->record_count = records;
	return type;
}

static void set_bounds(struct type *type, size_t objects, size_t bytes)
{
	objects = size_min(or_default(objects, DEFAULT_OBJECTS), MOST_OBJECTS);
	atomic_store_explicit(&type->cache_objects, objects, memory_order_relaxed);
	atomic_store_explicit(&type->cache_bytes, or_default(bytes, DEFAULT_BYTES), memory_order_relaxed);
}

static size_t keep_of(const struct strata_type_info *info)
{
	return or_default(info->keep_bytes, info->shape == STRATA_DICT ? DEFAULT_KEEP_TABLE : DEFAULT_KEEP);
}

static void fill_type(struct type *type, const struct strata_type_info *info)
{
	type->shape = info->shape;
	type->alignment = alignment_of(info);
	type->buffer_weight = is_buffered(info) ? (uint32_t)size_min(keep_of(info), BUFFER_WEIGHT) : 0;
	type->construct = info->construct;
	type->reset = info->reset;
	type->destroy = info->destroy;
	type->context = info->context;
	set_bounds(type, info->cache_objects, info->cache_bytes);
	memset(type->name, 0, sizeof type->name);
	strncpy(type->name, info->name, sizeof type->name - 1);
}

static void fill_record(strata_type *record, struct type *type, const struct strata_type_info *info, size_t size)
{
	unsigned class = core_aligned_class(size_max(size, 1), type->alignment);
	record->size = (uint32_t)size;
	record->code = class * 2;
	record->item_size = (uint32_t)info->item_size;
	if (is_buffered(info)) {
		record->mark = (uint32_t)info->shape;
		record->keep = (uint32_t)size_min(keep_of(info) / info->item_size, UINT32_MAX);
		record->buffer_offset = (uint16_t)info->buffer_offset;
		record->capacity_offset = (uint16_t)info->capacity_offset;
	}
}

/* All but type, which others may be reading: it stays what it is for whoever takes the record again. */
static void clear_record(strata_type *record)
{
	const size_t kept = offsetof(strata_type, size);
	record->lengths = 0;
	memset((char *)record + kept, 0, sizeof *record - kept);
}

/* Release: the record is complete; partner: the acquire in type_of. */
static void fill_records(struct type *type, const struct strata_type_info *info)
{
	strata_type *records = type->records;
	for (uint32_t i = 0; i < type->record_room; i++) {
		clear_record(&records[i]);
		if (i >= type->record_count)
			continue;
		size_t items = info->shape == STRATA_TUPLE && i > 0 ? i - 1 : 0;
		fill_record(&records[i], type, info, info->size + items * info->item_size);
		__atomic_store_n(&records[i].type, type, __ATOMIC_RELEASE);
	}
	if (info->shape == STRATA_TUPLE) {
		records[0].lengths = type->record_count - 1;
		records[0].code = 0; /* of the longer ones, of any class */
	}
}

STRATA_PUBLIC strata_type *strata_type_register(const struct strata_type_info *given, size_t info_size)
{
	struct strata_type_info info;
	memset(&info, 0, sizeof info);
	if (given != NULL)
		memcpy(&info, given, size_min(info_size, sizeof info));
	if (!is_sound(&info)) {
		errno = EINVAL;
		return NULL;
	}
	struct type *type = new_type(records_for(&info));
	if (type == NULL) {
		errno = ENOSPC;
		return NULL;
	}
	fill_type(type, &info);
	fill_records(type, &info);
	/* Release: all of the above; partners: the acquires of whoever looks at the epoch (typed_stats.c) and the state
	 * (typed_layout.h). */
	uint32_t epoch = atomic_load_explicit(&type->epoch, memory_order_relaxed);
	atomic_store_explicit(&type->epoch, epoch + epoch % 2, memory_order_release);
	atomic_store_explicit(&type->state, TYPE_LIVE, memory_order_release);
	return type->records;
}

STRATA_PUBLIC int strata_type_set_bounds(strata_type *handle, size_t objects, size_t bytes)
{
	if (!typed_is_registered(handle, "strata_type_set_bounds"))
		return EINVAL;
	set_bounds(handle->type, objects, bytes);
	return 0;
}

/* ---- Unregistering, trim -------------------------------------------------------------------------------------------- */

/* Acquire: what those who walked did to the lists; partner: the release in type_walk_end. */
static bool close_type(struct type_walk *walk, struct type *type)
{
	uint32_t live = TYPE_LIVE;
	if (!atomic_compare_exchange_strong_explicit(&type->state, &live, TYPE_CLOSING, memory_order_acquire,
						     memory_order_relaxed))
		return false;
	note_walk(walk, type, true);
	return true;
}

/* Release: what was done to the type's lists and records. Partners: of LIVE the acquire in type_walk_begin, of GONE the
 * exchange in reuse_type. */
static void end_closing(struct type_walk *walk, enum type_phase phase)
{
	own_walks = walk->outer;
	atomic_store_explicit(&walk->type->state, phase, memory_order_release);
}

static void empty_lists(struct type_cache *cache, const struct type *type)
{
	for (uint32_t i = 0; cache != NULL && i < type->record_count; i++)
		list_empty(cache, &type->records[i]);
}

/* Threads' lists hold objects of no one else while no call of the type is in progress. Nobody claims lists of a type that closes: the
 * own cache's, too, are emptied whether it is claimed or not; last, what the calling thread's own callbacks freed meanwhile. */
static void empty_all_lists(struct type *type)
{
	typed_trim_type(type);
	for (uint32_t number = 0; number < cache_count(); number++)
		empty_lists(cache_at(number), type);
	typed_trim_type(type);
	empty_lists(typed_self.cache, type);
}

/* The type's counters begin at 0 for whoever takes the records next. */
static void reset_counters(const struct type *type)
{
	for (uint32_t i = 0; i < type->record_count; i++) {
		const strata_type *record = &type->records[i];
		for (uint32_t number = 0; number < cache_count(); number++) {
			struct type_cache *cache = cache_at(number);
			if (cache == NULL)
				continue;
			list_reset(cache_list(cache, record));
			memset(cache_cold(cache, record), 0, sizeof(struct list_cold));
		}
		memset(below_shared_cold(record), 0, sizeof(struct list_cold));
		typed_depot_reset_counters(record);
	}
}

STRATA_PUBLIC int strata_type_unregister(strata_type *handle, size_t *live)
{
	if (!typed_is_registered(handle, "strata_type_unregister"))
		return EINVAL;
	struct type *type = handle->type;
	struct type_walk closing;
	if (!close_type(&closing, type))
		return EAGAIN;
	uint64_t count = type_count_live(type);
	if (live != NULL)
		*live = count;
	if (count > 0) {
		end_closing(&closing, TYPE_LIVE);
		return EBUSY;
	}
	atomic_fetch_add_explicit(&type->epoch, 1, memory_order_relaxed);
	/* Whoever sees any of what follows sees that too; partner: the fence in read_registered (typed_stats.c). */
	atomic_thread_fence(memory_order_release);
	empty_all_lists(type);
	reset_counters(type);
	handle->lengths = handle->mark = 0;
	end_closing(&closing, TYPE_GONE);
	return 0;
}

STRATA_PUBLIC size_t strata_type_trim(strata_type *handle)
{
	struct type_walk walk;
	if (!typed_is_registered(handle, "strata_type_trim") || !type_walk_begin(&walk, handle->type, CALLBACKS_MAY_RUN))
		return 0;
	size_t bytes = typed_trim_type(handle->type);
	type_walk_end(&walk);
	return bytes;
}
