/* SPDX-License-Identifier: MIT */
/*
 * strata: typed free lists. A program registers its object types once; each thread then keeps a list of free objects of
 * each type, constructed or with their buffers, so that the next object costs a few instructions and no initialisation.
 *
 * The rules of <strata/strata.h> hold: sizes are in bytes, any thread may call at any time, none waits for another, none
 * of these functions is signal-safe, what frees leaves errno alone. An object may be freed by any thread.
 *
 * Callbacks (Bonwick, "The Slab Allocator", USENIX 1994): construct runs once when memory is taken from the tier below,
 * reset on each free, destroy when the object goes back to the tier below. They run in the thread that allocates, frees,
 * trims or ends, destroy also for objects that were on the lists of threads that sleep, but in no call of malloc's family other than
 * malloc_trim; they may call strata, this type's functions included, and may not unregister the type. They must return (no longjmp,
 * no exception, no pthread_exit): what is being done with the lists is noted on the caller's stack.
 *
 * Misuse is reported in one line on stderr, then abort(3): under check:1 always at the call; otherwise an object freed
 * twice in a row, and whatever the slow path sees (the size class of another type, a pointer that is no block, a type of
 * another shape, a type after unregistering). A free object on a list is not looked at until it leaves it.
 */
#ifndef STRATA_TYPED_H
#define STRATA_TYPED_H

#include <strata/strata.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A registered type. Lives as long as the process; after strata_type_unregister it may be passed to no function. */
typedef struct strata_type strata_type;

/* How the objects of a type are laid out. */
enum strata_shape {
	STRATA_FIXED, /* objects of one size */
	STRATA_TUPLE, /* a header and n items inline; a free list for each n up to max_length */
	STRATA_LIST,  /* a header and, out of line, a buffer of items that grows; a free list keeps the buffer */
	STRATA_DICT   /* a header and, out of line, a zeroed table of a power of two of slots; kept likewise */
};

/* object: its memory; size: the object's bytes (of a tuple with its items; of a list or dict the header alone). */
typedef void strata_object_callback(void *object, size_t size, void *context);
/* Returns 0, or a number for errno: the allocation then fails with it, and the memory goes back. */
typedef int strata_construct_callback(void *object, size_t size, void *context);

/*
 * What a type is. Begin with all zero: zero means "default" or "none" in every field but size.
 *
 * A type without reset costs nothing for callbacks on either fast path; reset costs a slower free. For a tuple they are
 * called for lengths above max_length as well. construct of a list or dict finds buffer and capacity zero and leaves
 * them alone; reset and destroy find them as they are, and do not free the buffer.
 */
struct strata_type_info {
	const char *name;        /* for messages and statistics; copied, the first 31 bytes; must not be NULL */
	enum strata_shape shape;
	size_t size;             /* of an object (STRATA_FIXED) or of the header; less than 4 GiB */
	size_t alignment;        /* a power of two, at most 4096; 0: 16 where size >= 16 and for tuples, else 8 */
	size_t item_size;        /* of a tuple's or list's item, of a dict's slot; must not be 0 there */
	size_t max_length;       /* tuple: longest that has a list, at most 256; 0: 20 */
	size_t buffer_offset;    /* list, dict: where in the header the pointer to the buffer is (void *) */
	size_t capacity_offset;  /* list, dict: where its capacity in items or slots is (size_t) */
	size_t keep_bytes;       /* list, dict: a free object keeps a buffer of at most so many bytes; 0: 1024,
	                          * of a dict 512: the table is zeroed for the next dict, which may not need it */
	size_t cache_objects;    /* most free objects in one thread's list; 0: 8000. A tuple: in each length's list */
	size_t cache_bytes;      /* most bytes in them, kept buffers included; 0: 512 KiB */
	strata_construct_callback *construct;
	strata_object_callback *reset;
	strata_object_callback *destroy;
	void *context;           /* passed to the callbacks */
};

/* Registers a type. info_size is sizeof *info: a caller compiled against an older, shorter structure gets zero for the
 * rest. NULL and errno: EINVAL (a size, alignment or offset that makes no sense, no name), ENOSPC (there is room for 1024
 * free lists: a fixed type has one, a list or dict takes the place of two, a tuple of max_length + 2; those of a type that was
 * unregistered stay together, and serve one that needs no more). */
strata_type *strata_type_register(const struct strata_type_info *info, size_t info_size);

/* Unregisters the type: what its lists hold is destroyed and freed, whichever thread's list it is. Requires that no call
 * of this type is in progress, nor begins from now on, in any thread (it is not verified), and that what other threads
 * did with the type happened before this call (C17 5.1.2.4: join them, or synchronise).
 * 0; EBUSY: objects are live, *live (unless NULL) says how many, and the type stays as it was; EAGAIN: another thread is
 * just trimming the type (strata_type_trim, strata_trim, strata_maintain, idle lists), ending, or unregistering it: try
 * again. Under misuse:warn EINVAL: it is not registered. */
int strata_type_unregister(strata_type *type, size_t *live);

/* Changes the bounds of one thread's list: as cache_objects and cache_bytes above. What lists hold beyond them leaves
 * with the next frees, or by strata_type_trim. Returns 0, or under misuse:warn EINVAL: the type is not registered. */
int strata_type_set_bounds(strata_type *type, size_t objects, size_t bytes);

/* ---- STRATA_FIXED ------------------------------------------------------------------------------------------------- */

/* An object: constructed if it is new, as it was freed (and reset) if not. Without construct its contents are
 * indeterminate. NULL and errno ENOMEM, or what construct returned. At most 10 instructions when the list has one. */
void *strata_type_alloc(strata_type *type) STRATA_ATTRIBUTE((warn_unused_result));

/* Frees an object of this type, which is not NULL. At most 10 instructions while the list has room. */
void strata_type_free(strata_type *type, void *object);

/* count objects into objects[0 ... count-1]. Returns how many were had: fewer only on failure, with errno set; those had
 * are the caller's. */
size_t strata_type_alloc_batch(strata_type *type, size_t count, void **objects);

/* Frees objects[0 ... count-1], none of them NULL. */
void strata_type_free_batch(strata_type *type, void *const *objects, size_t count);

/* ---- STRATA_TUPLE ------------------------------------------------------------------------------------------------- */

/* A header and length items. NULL and errno ENOMEM (also for a length whose size is above PTRDIFF_MAX), or what construct
 * returned. At most 14 instructions when the list of this length has one. */
void *strata_tuple_alloc(strata_type *type, size_t length) STRATA_ATTRIBUTE((warn_unused_result));

/* Frees a tuple of this length, which is not NULL. */
void strata_tuple_free(strata_type *type, void *tuple, size_t length);

/* ---- STRATA_LIST -------------------------------------------------------------------------------------------------- */

/* A list whose buffer has room for at least items items: its pointer and capacity are set in the header, NULL and 0 when
 * items is 0 and no buffer was kept. Items are indeterminate. The program neither changes the two fields nor frees the
 * buffer. NULL and errno as above. */
void *strata_list_alloc(strata_type *type, size_t items) STRATA_ATTRIBUTE((warn_unused_result));

/* Makes room for at least items items, keeping those there; by half more than there was, rounded up to what a block holds
 * anyway (strata_good_size), so that appending one by one is linear. Never shrinks. The buffer may move. 0, or ENOMEM,
 * or EINVAL after a misuse that was told of (misuse:warn), and the list is as it was. */
int strata_list_reserve(strata_type *type, void *list, size_t items);

/* Frees a list, which is not NULL, with its buffer. */
void strata_list_free(strata_type *type, void *list);

/* ---- STRATA_DICT -------------------------------------------------------------------------------------------------- */

/* A dict whose table has at least slots slots, a power of two, all bytes zero; pointer and capacity as for a list. */
void *strata_dict_alloc(strata_type *type, size_t slots) STRATA_ATTRIBUTE((warn_unused_result));

/* Gives the dict a zeroed table of at least slots slots (a power of two; it may be smaller than the former one), and the
 * former table, which may be NULL, to the caller, who moves its entries and then passes it to strata_dict_release.
 * 0, or ENOMEM, or EINVAL after a misuse that was told of (misuse:warn), and the dict is as it was. */
int strata_dict_resize(strata_type *type, void *dict, size_t slots, void **old_table, size_t *old_slots);

/* Frees a table that strata_dict_resize gave out; NULL is ignored. */
void strata_dict_release(strata_type *type, void *table, size_t slots);

/* Frees a dict, which is not NULL, with its table. */
void strata_dict_free(strata_type *type, void *dict);

/* ---- Memory that goes back, statistics ---------------------------------------------------------------------------- */

/* Destroys and frees the free objects of the type that the calling thread's lists hold, and those that threads that
 * ended or overflowed left for all. Other living threads keep theirs. Returns the bytes freed, buffers included, to the
 * tier below. strata_trim does so for all types, and, with reclaim:1, takes what the lists of all other threads hold, but for one
 * object of each. The calling thread's own are passed over if another thread is just taking from them. strata_maintain, and slow
 * calls now and then, do so for lists that are idle for decay_ms, those of threads that sleep among them. */
size_t strata_type_trim(strata_type *type);

/* Counts of one type over all threads. Exact when no call is in progress; otherwise within what the calls in progress
 * change. */
struct strata_type_stats {
	uint64_t live_objects;   /* held by the program */
	uint64_t live_bytes;     /* in them, by usable size, and in their buffers by capacity */
	uint64_t cached_objects; /* on free lists */
	uint64_t cached_bytes;
	uint64_t hits;           /* allocations that a thread's own list served */
	uint64_t misses;         /* allocations that it did not: from what other threads left, or from the tier below */
	uint64_t constructed;    /* objects taken from the tier below since the type was registered */
	char name[32];
};

/* Fills *out, of which size = sizeof *out bytes are written at most. Stops no thread. 0, or EINVAL for NULL or size 0. */
int strata_type_stats_read(const strata_type *type, struct strata_type_stats *out, size_t size);

#ifdef __cplusplus
}
#endif

#endif /* STRATA_TYPED_H */
