/* SPDX-License-Identifier: MIT */
#include "cgroup.h"

#include "bit_word.h"
#include "compiler.h"
#include "options.h"
#include "os.h"
#include "size_class.h"

#include <string.h>

#define LOOK_MS 250
#define PROCESSORS_MS 5000 /* and at the processors, which seldom change */
#define PATH_BYTES 768u

/* Groups looked at, the own one and those above it. Containers of containers, in a pod, in slices of systemd: a dozen. */
#define LEVELS_MOST 16u

/*
 * The limit and what is used of it, in pages: one word, so that nobody sees the limit of one group beside the use of another.
 *
 *      63                            32 31                             0
 *     +--------------------------------+--------------------------------+
 *     |  limit; all ones: none         |  used                          |
 *     +--------------------------------+--------------------------------+
 */
#define PAGES_MOST UINT32_MAX

/* Written by whoever looks, read by all who ask how great the pressure is. Relaxed: each stands for itself and orders nothing. */
static _Atomic uint64_t looked_at;
static STRATA_READ_MOSTLY _Atomic uint64_t tightest = (uint64_t)PAGES_MOST << 32;
static STRATA_READ_MOSTLY _Atomic unsigned pressure;
static _Atomic uint64_t processors_looked_at;
static STRATA_READ_MOSTLY _Atomic unsigned processors = 1;

static uint64_t packed(struct cgroup_use use)
{
	uint64_t limit = size_min(use.limit >> PAGE_SHIFT, PAGES_MOST);
	return limit << 32 | size_min(use.used >> PAGE_SHIFT, PAGES_MOST);
}

struct cgroup_use cgroup_tightest(void)
{
	uint64_t word = atomic_load_explicit(&tightest, memory_order_relaxed);
	size_t limit = word >> 32;
	return (struct cgroup_use){
		.limit = limit == PAGES_MOST ? SIZE_MAX : limit << PAGE_SHIFT,
		.used = (size_t)(uint32_t)word << PAGE_SHIFT,
	};
}

size_t cgroup_headroom(struct cgroup_use use)
{
	return use.limit > use.used ? use.limit - use.used : 0;
}

unsigned cgroup_pressure(void)
{
	return atomic_load_explicit(&pressure, memory_order_relaxed);
}

unsigned cgroup_processors(void)
{
	return atomic_load_explicit(&processors, memory_order_relaxed);
}

/* ---- Text ----------------------------------------------------------------------------------------------------------- */

struct path {
	char text[PATH_BYTES];
	size_t length; /* 0: not known */
};

static bool append(struct path *path, const char *text, size_t length)
{
	if (path->length + length >= PATH_BYTES)
		return false;
	memcpy(path->text + path->length, text, length);
	path->length += length;
	path->text[path->length] = '\0';
	return true;
}

/* What follows word at the beginning of the line, or NULL. */
static const char *after(const char *line, const char *word)
{
	size_t length = strlen(word);
	return strncmp(line, word, length) == 0 ? line + length : NULL;
}

static size_t number_at(const char *text)
{
	size_t value = 0;
	for (; *text >= '0' && *text <= '9'; text++)
		value = value * 10 + (size_t)(*text - '0');
	return value;
}

/* The n-th field from 0, of fields that single blanks divide. */
static const char *field(const char *line, unsigned n)
{
	while (n > 0 && line != NULL) {
		line = strchr(line, ' ');
		line = line != NULL ? line + 1 : NULL;
		n--;
	}
	return line;
}

/* ---- Where the group's files are ------------------------------------------------------------------------------------ */

struct group {
	struct path name;      /* as the kernel tells it, from the hierarchy's root */
	struct path directory;
	unsigned levels;       /* groups from here upward, at most */
	bool gaps;             /* all of them are groups, also where one has no memory.max */
};

static bool read_own_group(const char *line, void *context)
{
	struct group *group = context;
	const char *name = after(line, "0::");
	return name == NULL || !append(&group->name, name, strlen(name));
}

/* What the name says below a mount's root of so many characters; NULL when the group is not seen there. */
static const char *name_below(const char *name, const char *root, size_t length)
{
	if (length == 1)
		length = 0;
	const char *below = strncmp(name, root, length) == 0 ? name + length : NULL;
	return below != NULL && (*below == '/' || *below == '\0') && strstr(below, "/..") == NULL ? below : NULL;
}

static unsigned count_names(const char *path)
{
	unsigned count = 0;
	for (; *path != '\0'; path++)
		count += path[0] == '/' && path[1] != '/' && path[1] != '\0';
	return count;
}

/*
 * A line of mountinfo (proc(5)): id parent major:minor root point options [optional ...] - type source options. Root is the
 * group that is seen at point. In a namespace of control groups root and the own name count from the namespace's root, the
 * topmost group that can be seen; of a mount made outside of it, whose root begins with "/..", it is not known where the own
 * group is.
 */
static bool read_mount(const char *line, void *context)
{
	struct group *group = context;
	const char *type = strstr(line, " - ");
	const char *root = field(line, 3);
	const char *point = field(line, 4);
	if (type == NULL || after(type, " - cgroup2 ") == NULL || root == NULL || point == NULL)
		return true;
	const char *below = name_below(group->name.text, root, strcspn(root, " "));
	if (below == NULL)
		return true;
	if (append(&group->directory, point, strcspn(point, " ")) && append(&group->directory, below, strlen(below)))
		group->levels = 1 + count_names(below);
	return false;
}

/* Down to the own group the memory controller may not have been handed on. */
static void find_own(struct group *group)
{
	os_each_line("/proc/self/cgroup", read_own_group, group);
	if (group->name.length != 0)
		os_each_line("/proc/self/mountinfo", read_mount, group);
	group->gaps = true;
}

static void find_given(struct group *group)
{
	const char *path = options_cgroup_path();
	if (append(&group->directory, path, strlen(path)))
		group->levels = LEVELS_MOST;
}

static void find_group(struct group *group)
{
	switch ((size_t)options()->cgroup) {
	case CGROUP_AUTO:
		find_own(group);
		break;
	case CGROUP_PATH:
		find_given(group);
		break;
	}
}

/* ---- The files ------------------------------------------------------------------------------------------------------ */

/* False: the file cannot be read. The file's name stands behind the directory's meanwhile: a copy would be most of the stack that a call
 * of malloc takes. */
static bool each_line(struct path *directory, const char *name, bool (*line)(const char *, void *), void *context)
{
	size_t length = directory->length;
	bool is_read = append(directory, "/", 1) && append(directory, name, strlen(name)) &&
		       os_each_line(directory->text, line, context) == 0;
	directory->length = length;
	directory->text[length] = '\0';
	return is_read;
}

static bool read_bytes(const char *line, void *context)
{
	if (*line >= '0' && *line <= '9')
		*(size_t *)context = number_at(line);
	return false;
}

static bool read_inactive_file(const char *line, void *context)
{
	const char *value = after(line, "inactive_file ");
	if (value != NULL)
		*(size_t *)context = number_at(value);
	return value == NULL;
}

/* some avg10=1.23 avg60=... */
static bool read_pressure(const char *line, void *context)
{
	const char *value = after(line, "some avg10=");
	if (value == NULL)
		return true;
	const char *point = strchr(value, '.');
	unsigned hundredths = 0;
	if (point != NULL && point[1] >= '0' && point[1] <= '9' && point[2] >= '0' && point[2] <= '9')
		hundredths = (unsigned)(point[1] - '0') * 10 + (unsigned)(point[2] - '0');
	*(unsigned *)context = (unsigned)(number_at(value) % 1000) * 100 + hundredths;
	return false;
}

/* A mask in hexadecimal, with commas. */
static bool read_allowed(const char *line, void *context)
{
	const char *mask = after(line, "Cpus_allowed:");
	if (mask == NULL)
		return true;
	unsigned count = 0;
	for (; *mask != '\0'; mask++) {
		if (*mask >= '0' && *mask <= '9')
			count += bit_count((uint64_t)(*mask - '0'));
		else if (*mask >= 'a' && *mask <= 'f')
			count += bit_count((uint64_t)(*mask - 'a' + 10));
	}
	*(unsigned *)context = count;
	return false;
}

/* How much time in which: 150000 100000 is one processor and a half, and counts as two. Or max 100000. */
static bool read_quota(const char *line, void *context)
{
	const char *period = field(line, 1);
	size_t each = period != NULL ? number_at(period) : 0;
	size_t quota = number_at(line);
	unsigned *least = context;
	if (each != 0 && quota != 0 && (quota - 1) / each + 1 < *least)
		*least = (unsigned)((quota - 1) / each + 1);
	return false;
}

/* memory.stat makes the kernel sum up over its processors: only where it matters. A group that is less full than that has a
 * quarter of its limit left, page cache and all. */
static size_t in_use(struct path *directory, size_t limit)
{
	size_t current = 0;
	size_t inactive_file = 0;
	each_line(directory, "memory.current", read_bytes, &current);
	if (current > limit / 4 * 3)
		each_line(directory, "memory.stat", read_inactive_file, &inactive_file);
	return current > inactive_file ? current - inactive_file : 0;
}

/* False: it has no memory.max. */
static bool look_at_level(struct path *directory, void *context)
{
	struct cgroup_use *least = context;
	size_t max = SIZE_MAX;
	size_t high = SIZE_MAX;
	if (!each_line(directory, "memory.max", read_bytes, &max))
		return false;
	each_line(directory, "memory.high", read_bytes, &high);
	struct cgroup_use use = { .limit = size_min(max, high) };
	if (use.limit == SIZE_MAX)
		return true;
	use.used = in_use(directory, use.limit);
	if (cgroup_headroom(use) < cgroup_headroom(*least))
		*least = use;
	return true;
}

static bool look_at_quota(struct path *directory, void *context)
{
	return each_line(directory, "cpu.max", read_quota, context);
}

/* Upward by "..", which the kernel resolves: a path that was given may hold symbolic links. The group's directory goes along. */
static void look_upward(struct group *group, bool (*look_at)(struct path *, void *), void *context)
{
	struct path *directory = &group->directory;
	for (unsigned level = 0; level < group->levels && level < LEVELS_MOST; level++) {
		if (!look_at(directory, context) && !group->gaps)
			break;
		if (!append(directory, "/..", 3))
			break;
	}
}

/* The pressure is the own group's: what its tasks wait for on behalf of a group above is part of it, what a sibling suffers
 * by a limit of the sibling's own is not, and nothing that is given back here would help there. */
static void look(void)
{
	struct group group = { .levels = 0 };
	struct cgroup_use least = { .limit = SIZE_MAX };
	unsigned waiting = 0;
	find_group(&group);
	if (group.levels != 0)
		each_line(&group.directory, "memory.pressure", read_pressure, &waiting);
	look_upward(&group, look_at_level, &least);
	atomic_store_explicit(&tightest, packed(least), memory_order_relaxed);
	atomic_store_explicit(&pressure, waiting, memory_order_relaxed);
}

/* Those on which the main thread may run: others, which a server may have tied to one each, say less. */
static void look_at_processors(void)
{
	struct group group = { .levels = 0 };
	unsigned count = 1;
	os_each_line("/proc/self/status", read_allowed, &count);
	find_group(&group);
	look_upward(&group, look_at_quota, &count);
	atomic_store_explicit(&processors, count, memory_order_relaxed);
}

static bool is_time(_Atomic uint64_t *last, uint64_t now, uint64_t pause)
{
	uint64_t then = atomic_load_explicit(last, memory_order_relaxed);
	return has_passed(now, then, pause) &&
	       atomic_compare_exchange_strong_explicit(last, &then, now, memory_order_relaxed, memory_order_relaxed);
}

/* Two threads that look at once, one of them much delayed, leave at worst what was so a moment ago. */
void cgroup_look(uint64_t now)
{
	if (options()->cgroup != CGROUP_OFF && is_time(&looked_at, now, LOOK_MS))
		look();
	if (options()->cgroup != CGROUP_OFF && options()->cache_cpu_bytes != 0 && is_time(&processors_looked_at, now, PROCESSORS_MS))
		look_at_processors();
}
