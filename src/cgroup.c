/* SPDX-License-Identifier: MIT */
#include "cgroup.h"

#include "compiler.h"
#include "options.h"
#include "os.h"

#include <string.h>

#define LOOK_MS 250
#define PATH_BYTES 768u

static _Atomic uint64_t looked_at;
static _Atomic size_t limit = SIZE_MAX;
static _Atomic size_t used;
static _Atomic unsigned pressure;

size_t cgroup_limit(void)
{
	return atomic_load_explicit(&limit, memory_order_relaxed);
}

size_t cgroup_used(void)
{
	return atomic_load_explicit(&used, memory_order_relaxed);
}

unsigned cgroup_pressure(void)
{
	return atomic_load_explicit(&pressure, memory_order_relaxed);
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

struct mount {
	struct path point;
	struct path root; /* the group that is seen there */
};

/* A line of mountinfo (proc(5)): id parent major:minor root point options [optional ...] - type source options. */
static bool read_mount(const char *line, void *context)
{
	struct mount *mount = context;
	const char *type = strstr(line, " - ");
	const char *root = field(line, 3);
	const char *point = field(line, 4);
	if (type == NULL || after(type, " - cgroup2 ") == NULL || root == NULL || point == NULL)
		return true;
	return !append(&mount->root, root, strcspn(root, " ")) || !append(&mount->point, point, strcspn(point, " "));
}

static bool read_own_group(const char *line, void *context)
{
	const char *group = after(line, "0::");
	return group == NULL || !append(context, group, strlen(group));
}

/* The group's path counts from the hierarchy's root; the mount may show only a part of that. */
static bool find_group(struct path *directory)
{
	struct path group = { .length = 0 };
	struct mount mount = { .point.length = 0, .root.length = 0 };
	os_each_line("/proc/self/cgroup", read_own_group, &group);
	if (group.length != 0)
		os_each_line("/proc/self/mountinfo", read_mount, &mount);
	if (mount.point.length == 0)
		return false;
	const char *below = mount.root.length > 1 ? after(group.text, mount.root.text) : group.text;
	if (below == NULL || strstr(below, "/..") != NULL)
		return false;
	return append(directory, mount.point.text, mount.point.length) && append(directory, below, strlen(below));
}

static bool find_directory(struct path *directory)
{
	switch ((size_t)options()->cgroup) {
	case CGROUP_AUTO:
		return find_group(directory);
	case CGROUP_PATH:
		return append(directory, options_cgroup_path(), strlen(options_cgroup_path()));
	default:
		return false;
	}
}

/* ---- The files ------------------------------------------------------------------------------------------------------ */

static void each_line(const struct path *directory, const char *name, bool (*line)(const char *, void *), void *context)
{
	struct path path = *directory;
	if (append(&path, "/", 1) && append(&path, name, strlen(name)))
		os_each_line(path.text, line, context);
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

/* memory.stat makes the kernel sum up over its processors: only where it matters. */
static size_t in_use(const struct path *directory, size_t most)
{
	size_t current = 0;
	size_t inactive_file = 0;
	each_line(directory, "memory.current", read_bytes, &current);
	if (most != SIZE_MAX && current > most / 4 * 3)
		each_line(directory, "memory.stat", read_inactive_file, &inactive_file);
	return current > inactive_file ? current - inactive_file : 0;
}

static void look(void)
{
	struct path directory = { .length = 0 };
	size_t max = SIZE_MAX;
	size_t high = SIZE_MAX;
	size_t current = 0;
	unsigned waiting = 0;
	if (find_directory(&directory)) {
		each_line(&directory, "memory.max", read_bytes, &max);
		each_line(&directory, "memory.high", read_bytes, &high);
		each_line(&directory, "memory.pressure", read_pressure, &waiting);
		current = in_use(&directory, max < high ? max : high);
	}
	atomic_store_explicit(&limit, max < high ? max : high, memory_order_relaxed);
	atomic_store_explicit(&used, current, memory_order_relaxed);
	atomic_store_explicit(&pressure, waiting, memory_order_relaxed);
}

/* Two threads that look at once, one of them much delayed, leave at worst what was so a moment ago. */
void cgroup_look(uint64_t now)
{
	uint64_t last = atomic_load_explicit(&looked_at, memory_order_relaxed);
	if (options()->cgroup == CGROUP_OFF || now < last + LOOK_MS)
		return;
	if (atomic_compare_exchange_strong_explicit(&looked_at, &last, now, memory_order_relaxed, memory_order_relaxed))
		look();
}
