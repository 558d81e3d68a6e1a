/* SPDX-License-Identifier: MIT */
/*
 * The clock, asked of the kernel's own object in the process (vdso(7)) and not by libc's function: what stands in front of that, such as
 * libfaketime, allocates in it, and this is read while a heap is locked; nor is the time that it shows the time for which memory lay idle.
 */
#define _GNU_SOURCE
#include "os.h"

#include "compiler.h"
#include "os_call.h"
#include "os_pretend.h"

#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>

typedef int clock_reader(clockid_t clock, struct timespec *time);

#ifdef __aarch64__
#define READER_NAME "__kernel_clock_gettime"
#else
#define READER_NAME "__vdso_clock_gettime"
#endif

/* What is needed of the object's dynamic section. The number of its symbols is the second word of DT_HASH. */
struct kernel_object {
	const ElfW(Sym) *symbols;
	const char *names;
	const uint32_t *hash;
};

static struct kernel_object dynamic_of(const ElfW(Dyn) *dynamic, uintptr_t base)
{
	struct kernel_object object = { NULL, NULL, NULL };
	for (; dynamic->d_tag != DT_NULL; dynamic++) {
		const void *there = (const void *)(base + dynamic->d_un.d_ptr);
		if (dynamic->d_tag == DT_SYMTAB)
			object.symbols = there;
		else if (dynamic->d_tag == DT_STRTAB)
			object.names = there;
		else if (dynamic->d_tag == DT_HASH)
			object.hash = there;
	}
	return object;
}

static clock_reader *symbol_of(const struct kernel_object *object, uintptr_t base)
{
	if (object->symbols == NULL || object->names == NULL || object->hash == NULL)
		return NULL;
	for (uint32_t i = 0; i < object->hash[1]; i++) {
		const ElfW(Sym) *symbol = &object->symbols[i];
		if (symbol->st_shndx != SHN_UNDEF && strcmp(object->names + symbol->st_name, READER_NAME) == 0)
			return (clock_reader *)(base + symbol->st_value);
	}
	return NULL;
}

/* Addresses in the object count from where its loaded part would lie at 0. NULL: there is none, as under valgrind. */
static clock_reader *find_reader(void)
{
	uintptr_t start = getauxval(AT_SYSINFO_EHDR);
	if (start == 0)
		return NULL;
	const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)start;
	const ElfW(Phdr) *parts = (const ElfW(Phdr) *)(start + header->e_phoff);
	const ElfW(Phdr) *dynamic = NULL, *loaded = NULL;
	for (unsigned i = 0; i < header->e_phnum; i++) {
		if (parts[i].p_type == PT_DYNAMIC)
			dynamic = &parts[i];
		else if (parts[i].p_type == PT_LOAD && loaded == NULL)
			loaded = &parts[i];
	}
	if (dynamic == NULL || loaded == NULL)
		return NULL;
	uintptr_t base = start + loaded->p_offset - loaded->p_vaddr;
	struct kernel_object object = dynamic_of((const ElfW(Dyn) *)(start + dynamic->p_offset), base);
	return symbol_of(&object, base);
}

static int read_by_call(clockid_t clock, struct timespec *time)
{
	return (int)os_call(SYS_clock_gettime, clock, time);
}

/* Whoever comes first finds it, and who comes at the same time the same. Relaxed: what it points to was there before the process. */
static clock_reader *known_reader(void)
{
	static _Atomic(clock_reader *) reader;
	clock_reader *known = atomic_load_explicit(&reader, memory_order_relaxed);
	if (unlikely(known == NULL)) {
		known = find_reader();
		if (known == NULL)
			known = read_by_call;
		atomic_store_explicit(&reader, known, memory_order_relaxed);
	}
	return known;
}

uint64_t os_clock_ms(void)
{
	uint64_t pretended = pretend_clock();
	if (pretended != 0)
		return pretended;
	struct timespec now = { 0, 0 };
	known_reader()(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
