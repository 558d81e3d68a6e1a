/* SPDX-License-Identifier: MIT */
/* Whose code an address lies in, as the loader knows. */
#define _GNU_SOURCE
#include "os.h"

#include "compiler.h"

#include <gnu/libc-version.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

/* Where an object's parts lie, from the first to the last. */
struct extent {
	uintptr_t start, end;
};

static struct extent extent_of(const struct dl_phdr_info *object)
{
	uintptr_t end = 0;
	for (unsigned i = 0; i < object->dlpi_phnum; i++)
		if (object->dlpi_phdr[i].p_type == PT_LOAD)
			end = object->dlpi_phdr[i].p_vaddr + object->dlpi_phdr[i].p_memsz;
	return (struct extent){ object->dlpi_addr, object->dlpi_addr + end };
}

static bool is_within(struct extent extent, const void *address)
{
	return (uintptr_t)address >= extent.start && (uintptr_t)address < extent.end;
}

static bool object_has(const struct dl_phdr_info *object, uintptr_t address)
{
	for (unsigned i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];
		if (part->p_type == PT_LOAD && address - (object->dlpi_addr + part->p_vaddr) < part->p_memsz)
			return true;
	}
	return false;
}

/* ---- libc, the loader, this library --------------------------------------------------------------------------------- */

/* Written by the constructor; the count last, sequentially consistent, as it is read. */
static struct extent system_code[3];
static _Atomic unsigned system_code_count;

static int learn_object(struct dl_phdr_info *object, size_t size, void *unused)
{
	(void)size;
	(void)unused;
	uintptr_t loader = getauxval(AT_BASE);
	unsigned count = atomic_load(&system_code_count);
	if (count == 3 || (!object_has(object, (uintptr_t)gnu_get_libc_version) && !object_has(object, (uintptr_t)learn_object) &&
			   (loader == 0 || object->dlpi_addr != loader)))
		return 0;
	system_code[count] = extent_of(object);
	atomic_store(&system_code_count, count + 1);
	return 0;
}

void os_learn_system_code(void)
{
	if (atomic_load(&system_code_count) == 0)
		dl_iterate_phdr(learn_object, NULL);
}

bool os_is_system_code(const void *address)
{
	unsigned count = atomic_load(&system_code_count);
	for (unsigned i = 0; i < count; i++)
		if (is_within(system_code[i], address))
			return true;
	return count == 0;
}

/* By what the kernel says of it: the loader itself may be asking. */
bool os_is_loader(const void *address)
{
	uintptr_t base = getauxval(AT_BASE);
	if (base == 0 || (uintptr_t)address < base)
		return false;
	const ElfW(Ehdr) *head = (const ElfW(Ehdr) *)base;
	struct dl_phdr_info loader = {
		.dlpi_addr = base,
		.dlpi_phdr = (const ElfW(Phdr) *)(base + head->e_phoff),
		.dlpi_phnum = head->e_phnum,
	};
	return object_has(&loader, (uintptr_t)address);
}

/* ---- What walks stacks ---------------------------------------------------------------------------------------------- */

/* Written once, by the first who finds it (alike by two at once), before unwinder_is_known. Release; partner: the acquire in
 * os_is_unwinder. */
static _Atomic uintptr_t unwinder_start, unwinder_end;
static _Atomic bool unwinder_is_known;

static int learn_unwinder(struct dl_phdr_info *object, size_t size, void *unused)
{
	(void)size;
	(void)unused;
	const char *slash = strrchr(object->dlpi_name, '/');
	const char *name = slash != NULL ? slash + 1 : object->dlpi_name;
	if (strncmp(name, "libgcc_s.", 9) != 0 && strncmp(name, "libunwind.", 10) != 0)
		return 0;
	struct extent extent = extent_of(object);
	atomic_store_explicit(&unwinder_start, extent.start, memory_order_relaxed);
	atomic_store_explicit(&unwinder_end, extent.end, memory_order_relaxed);
	atomic_store_explicit(&unwinder_is_known, true, memory_order_release);
	return 1;
}

void os_learn_unwinder(void)
{
	if (!atomic_load_explicit(&unwinder_is_known, memory_order_relaxed))
		dl_iterate_phdr(learn_unwinder, NULL);
}

bool os_is_unwinder(const void *address)
{
	if (!atomic_load_explicit(&unwinder_is_known, memory_order_acquire))
		return false;
	struct extent extent = { atomic_load_explicit(&unwinder_start, memory_order_relaxed),
				 atomic_load_explicit(&unwinder_end, memory_order_relaxed) };
	return is_within(extent, address);
}
