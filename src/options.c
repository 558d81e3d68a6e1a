/* SPDX-License-Identifier: MIT */
#include "options.h"

#include "check.h"
#include "os.h"

#include <string.h>

/* Written by the first call, which comes before a second thread exists or races with its like: then both write the same
 * values. Release by ready; partner: the acquire in options(). */
static struct options settings = {
	.huge = HUGE_BY_SIZE,
	.decay_ms = 1000,
	.cache_bytes = (size_t)2 << 20,
	.cache_all_bytes = (size_t)64 << 20,
	.quarantine_bytes = (size_t)1 << 20,
	.reserve_bytes = (size_t)1 << 40,
	.retain_bytes = (size_t)16 << 20,
};
static _Atomic bool ready;

struct text {
	const char *start;
	size_t length;
};

static bool equals(struct text text, const char *word)
{
	return strlen(word) == text.length && memcmp(text.start, word, text.length) == 0;
}

static bool read_number(struct text text, size_t *number)
{
	size_t value = 0;
	size_t at = 0;
	for (; at < text.length && text.start[at] >= '0' && text.start[at] <= '9'; at++) {
		if (__builtin_mul_overflow(value, (size_t)10, &value) ||
		    __builtin_add_overflow(value, (size_t)(text.start[at] - '0'), &value))
			return false;
	}
	*number = value;
	return at > 0 && at == text.length;
}

static bool read_size(struct text text, size_t *size)
{
	static const char units[] = "KMGT";
	unsigned shift = 0;
	if (text.length > 0) {
		char last = text.start[text.length - 1] & ~0x20;
		const char *unit = last != '\0' ? strchr(units, last) : NULL;
		if (unit != NULL) {
			shift = 10 * (unsigned)(unit - units + 1);
			text.length--;
		}
	}
	size_t value;
	if (!read_number(text, &value) || value > SIZE_MAX >> shift)
		return false;
	*size = value << shift;
	return true;
}

static bool read_choice(struct text text, const char *no, const char *yes, bool *choice)
{
	if (!equals(text, no) && !equals(text, yes))
		return false;
	*choice = equals(text, yes);
	return true;
}

static bool read_huge(struct text text, enum huge_policy *huge)
{
	static const char *const names[] = { "never", "size", "always" };
	for (unsigned i = 0; i < 3; i++) {
		if (equals(text, names[i])) {
			*huge = (enum huge_policy)i;
			return true;
		}
	}
	return false;
}

static bool apply(struct options *to, struct text name, struct text value)
{
	if (equals(name, "check"))
		return read_choice(value, "0", "1", &to->check);
	if (equals(name, "misuse"))
		return read_choice(value, "abort", "warn", &to->misuse_warns);
	if (equals(name, "stats"))
		return read_choice(value, "0", "1", &to->print_stats);
	if (equals(name, "purge"))
		return read_choice(value, "dontneed", "free", &to->purge_lazily);
	if (equals(name, "huge"))
		return read_huge(value, &to->huge);
	if (equals(name, "decay_ms"))
		return read_number(value, &to->decay_ms);
	if (equals(name, "cache"))
		return read_size(value, &to->cache_bytes);
	if (equals(name, "cache_all"))
		return read_size(value, &to->cache_all_bytes);
	if (equals(name, "quarantine"))
		return read_size(value, &to->quarantine_bytes);
	if (equals(name, "reserve"))
		return read_size(value, &to->reserve_bytes);
	if (equals(name, "retain"))
		return read_size(value, &to->retain_bytes);
	return false;
}

static void complain(struct text setting)
{
	char copy[64];
	size_t length = setting.length < sizeof copy - 1 ? setting.length : sizeof copy - 1;
	memcpy(copy, setting.start, length);
	copy[length] = '\0';
	message("STRATA_OPTIONS: \"%s\" not understood; default used", copy);
}

static void parse(const char *all)
{
	while (*all != '\0') {
		struct text setting = { all, strcspn(all, ",") };
		const char *colon = memchr(setting.start, ':', setting.length);
		struct text name = { setting.start, colon != NULL ? (size_t)(colon - setting.start) : setting.length };
		struct text value = { name.start + name.length + 1, setting.length - name.length - 1 };
		if (setting.length > 0 && (colon == NULL || !apply(&settings, name, value)))
			complain(setting);
		all += setting.length;
		all += *all == ',';
	}
}

const struct options *options(void)
{
	if (unlikely(!atomic_load_explicit(&ready, memory_order_acquire))) {
		const char *all = os_setting("STRATA_OPTIONS");
		if (all != NULL)
			parse(all);
		atomic_store_explicit(&ready, true, memory_order_release);
	}
	return &settings;
}
