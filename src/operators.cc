/* SPDX-License-Identifier: MIT */
/*
 * C++ operator new and operator delete: those that are called often are new_delete.c's, all others are here, without a
 * dependency on a C++ library: a C program that links or preloads strata must not need one.
 *
 * What comes from a C++ library is needed only after memory was refused: the new_handler, and the parts of
 * `throw std::bad_alloc()` as the Itanium C++ ABI names them. They are weak references here. Weak references are bound when
 * strata is loaded; a C++ library that is loaded later, by dlopen with a local name space, is asked by name.
 *
 * A program may replace some of the operators and leave the rest to us. Those that the C++ standard defines in terms
 * of another one ([new.delete]: new[] calls new, sized delete calls delete ...) therefore call the replacement if
 * there is one. All are weak definitions, so that a program's own ones do not collide with libstrata.a.
 */
#include <stddef.h>

#if defined(__GNUC__) && !defined(__clang__)
/* The second names below are only compared with, never called: they need none of operator new's attributes. */
#pragma GCC diagnostic ignored "-Wmissing-attributes"
#endif

namespace std
{
enum class align_val_t : size_t {};
struct nothrow_t;
typedef void (*new_handler)();
} // namespace std

#define STRATA_COLD __attribute__((cold, noinline))
#define STRATA_REPLACEABLE __attribute__((weak, visibility("default")))
#define STRATA_WEAK __attribute__((weak))
#define STRATA_LIKELY(condition) __builtin_expect(!!(condition), 1)

/* ---- From strata and libc ------------------------------------------------------------------------------------ */

extern "C" {
__attribute__((visibility("hidden"))) void *strata_malloc16(size_t size) noexcept;
__attribute__((visibility("hidden"))) void *strata_memalign(size_t alignment, size_t size) noexcept;

/* Second names of the operators in new_delete.c, which are never bound to a program's. */
__attribute__((visibility("hidden"))) void *strata_new(size_t size);
__attribute__((visibility("hidden"))) void *strata_new_array(size_t size);
__attribute__((visibility("hidden"))) void strata_delete(void *block) noexcept;
__attribute__((visibility("hidden"))) void strata_delete_array(void *block) noexcept;
__attribute__((visibility("hidden"))) void strata_delete_sized_aligned(void *block, size_t size) noexcept;
__attribute__((visibility("hidden"))) void *strata_new_failed(size_t size);

[[noreturn]] void abort();
long write(int descriptor, const void *text, size_t length);

/* Weak: not in every static program. dlopen is had from it: a reference would draw a warning into each static
 * link. */
STRATA_WEAK void *dlsym(void *library, const char *name);
}

/* ---- From a C++ library, if there is one --------------------------------------------------------------------- */

/* What the compiler refers to by itself in functions with a catch clause, and in those that may not throw. */
__asm__(".weak __gxx_personality_v0\n\t.weak __cxa_begin_catch\n\t.weak __cxa_end_catch\n\t"
        ".weak _Unwind_Resume\n\t.weak _ZSt9terminatev");

extern "C" {
STRATA_WEAK std::new_handler cxx_get_new_handler() __asm__("_ZSt15get_new_handlerv");
STRATA_WEAK void *cxx_allocate_exception(size_t size) __asm__("__cxa_allocate_exception");
STRATA_WEAK void cxx_throw(void *exception, void *type, void (*destroy)(void *)) __asm__("__cxa_throw");
STRATA_WEAK void cxx_bad_alloc_destroy(void *exception) __asm__("_ZNSt9bad_allocD1Ev");
STRATA_WEAK extern char cxx_bad_alloc_vtable[] __asm__("_ZTVSt9bad_alloc");
STRATA_WEAK extern char cxx_bad_alloc_type[] __asm__("_ZTISt9bad_alloc");
STRATA_WEAK extern char cxx_personality[] __asm__("__gxx_personality_v0");
}

namespace
{

/* The parts of a C++ library that are used. Complete, or not usable: see runtime_is_complete(). */
struct runtime {
	std::new_handler (*get_new_handler)();
	void *(*allocate_exception)(size_t);
	void (*throw_exception)(void *, void *, void (*)(void *));
	void (*bad_alloc_destroy)(void *);
	char *bad_alloc_vtable;
	char *bad_alloc_type;
};

/* get_new_handler may be missing: a static program that never sets a handler does not contain it. */
bool runtime_is_complete(const runtime &cxx)
{
	return cxx.allocate_exception && cxx.throw_exception && cxx.bad_alloc_destroy && cxx.bad_alloc_vtable &&
	       cxx.bad_alloc_type;
}

template <typename T> void late_symbol(void *library, const char *name, T &address)
{
	address = reinterpret_cast<T>(dlsym(library, name));
}

/* The C++ library that was loaded after us, or NULL. Loads nothing. It stays open, as one whose exceptions are in
 * flight must. */
void *late_library_find()
{
	static const char *const names[] = {"libstdc++.so.6", "libc++abi.so.1", "libc++.so.1"};
	const int lazy_noload = 0x00001 | 0x00004; /* RTLD_LAZY | RTLD_NOLOAD, the same in glibc and musl */
	void *(*open)(const char *, int) = nullptr;

	if (dlsym)
		late_symbol(nullptr, "dlopen", open); /* NULL: RTLD_DEFAULT */
	if (!open)
		return nullptr;
	for (const char *name : names)
		if (void *library = open(name, lazy_noload))
			return library;
	return nullptr;
}

STRATA_COLD runtime runtime_find()
{
	runtime cxx = {cxx_get_new_handler, cxx_allocate_exception, cxx_throw, cxx_bad_alloc_destroy,
	               cxx_bad_alloc_vtable, cxx_bad_alloc_type};

	if (runtime_is_complete(cxx))
		return cxx;
	if (void *library = late_library_find()) {
		late_symbol(library, "_ZSt15get_new_handlerv", cxx.get_new_handler);
		late_symbol(library, "__cxa_allocate_exception", cxx.allocate_exception);
		late_symbol(library, "__cxa_throw", cxx.throw_exception);
		late_symbol(library, "_ZNSt9bad_allocD1Ev", cxx.bad_alloc_destroy);
		late_symbol(library, "_ZTVSt9bad_alloc", cxx.bad_alloc_vtable);
		late_symbol(library, "_ZTISt9bad_alloc", cxx.bad_alloc_type);
	}
	return cxx;
}

std::new_handler runtime_handler(const runtime &cxx)
{
	return cxx.get_new_handler ? cxx.get_new_handler() : nullptr;
}

/* `throw std::bad_alloc()`, spelled out. */
[[noreturn]] STRATA_COLD void throw_bad_alloc(const runtime &cxx)
{
	static const char message[] =
		"strata: operator new: memory refused, and no C++ library to throw std::bad_alloc\n";

	if (runtime_is_complete(cxx)) {
		char **exception = static_cast<char **>(cxx.allocate_exception(sizeof(char *)));

		/* A virtual table's address points behind the offset to top and the type. */
		*exception = cxx.bad_alloc_vtable + 2 * sizeof(void *);
		cxx.throw_exception(exception, cxx.bad_alloc_type, cxx.bad_alloc_destroy);
	}
	if (write(2, message, sizeof message - 1) < 0)
		abort();
	abort();
}

/* alignment 0: the default one. */
void *allocate(size_t size, size_t alignment)
{
	return alignment == 0 ? strata_malloc16(size) : strata_memalign(alignment, size);
}

/* [new.delete.single]: calls the handler until there is memory, or no handler; a handler may throw or not return. No
 * handler can help against an alignment that is not a power of two. */
STRATA_COLD void *new_failed(size_t size, size_t alignment)
{
	const runtime cxx = runtime_find();

	for (;;) {
		const std::new_handler handler = runtime_handler(cxx);

		if (!handler || (alignment & (alignment - 1)) != 0)
			throw_bad_alloc(cxx);
		handler();
		if (void *block = allocate(size, alignment))
			return block;
	}
}

/* The same for the forms that return NULL. Only a handler throws here. Without the weak personality routine the catch
 * clause is not seen by an exception on its way up; then the late library's own operator catches it: it calls our
 * operator that throws. */
STRATA_COLD void *new_failed_nothrow(size_t size, size_t alignment, const std::nothrow_t &nothrow)
{
	if (!runtime_handler(runtime_find()))
		return nullptr;
	if (cxx_personality == nullptr) {
		void *(*plain)(size_t, const std::nothrow_t &) = nullptr;
		void *(*aligned)(size_t, size_t, const std::nothrow_t &) = nullptr;
		void *library = late_library_find();

		if (!library)
			return nullptr;
		late_symbol(library, "_ZnwmRKSt9nothrow_t", plain);
		late_symbol(library, "_ZnwmSt11align_val_tRKSt9nothrow_t", aligned);
		if (alignment != 0)
			return aligned ? aligned(size, alignment, nothrow) : nullptr;
		return plain ? plain(size, nothrow) : nullptr;
	}
	try {
		return new_failed(size, alignment);
	} catch (...) {
		return nullptr;
	}
}

inline void *new_aligned(size_t size, size_t alignment)
{
	void *block = strata_memalign(alignment, size);

	return STRATA_LIKELY(block) ? block : new_failed(size, alignment);
}

inline void *new_nothrow(size_t size, const std::nothrow_t &nothrow)
{
	void *block = strata_malloc16(size);

	return STRATA_LIKELY(block) ? block : new_failed_nothrow(size, 0, nothrow);
}

inline void *new_aligned_nothrow(size_t size, size_t alignment, const std::nothrow_t &nothrow)
{
	void *block = strata_memalign(alignment, size);

	return STRATA_LIKELY(block) ? block : new_failed_nothrow(size, alignment, nothrow);
}

} // namespace

void *strata_new_failed(size_t size)
{
	return new_failed(size, 0);
}

/* ---- The operators that the others are defined by ------------------------------------------------------------ */

STRATA_REPLACEABLE void *operator new(size_t size, std::align_val_t alignment)
{
	return new_aligned(size, static_cast<size_t>(alignment));
}

STRATA_REPLACEABLE void operator delete(void *block, std::align_val_t) noexcept
{
	strata_delete(block);
}

/* ---- Has a program replaced them? ---------------------------------------------------------------------------- */

/* Second names of our own definitions, which are never bound to a program's. */
#define STRATA_OWN(symbol) __attribute__((visibility("hidden"), alias(symbol)))

extern "C" {
STRATA_OWN("_ZnwmSt11align_val_t") void *strata_own_new_aligned(size_t, std::align_val_t);
STRATA_OWN("_ZnamSt11align_val_t") void *strata_own_new_array_aligned(size_t, std::align_val_t);
STRATA_OWN("_ZdlPvSt11align_val_t") void strata_own_delete_aligned(void *, std::align_val_t) noexcept;
STRATA_OWN("_ZdaPvSt11align_val_t") void strata_own_delete_array_aligned(void *, std::align_val_t) noexcept;
}

namespace
{

typedef void *(*new_function)(size_t);
typedef void *(*new_aligned_function)(size_t, std::align_val_t);
typedef void (*delete_function)(void *);
typedef void (*delete_aligned_function)(void *, std::align_val_t);

/* Whether the linker chose our operator. The compiler sees both names defined here and would draw conclusions: hidden
 * from it, this is a load and a comparison. */
template <typename function> inline bool is_own(function chosen, function own)
{
	__asm__("" : "+r"(own));
	return STRATA_LIKELY(chosen == own);
}

inline bool is_new_own()
{
	return is_own<new_function>(operator new, strata_new);
}

inline bool is_new_array_own()
{
	return is_new_own() && is_own<new_function>(operator new[], strata_new_array);
}

inline bool is_new_aligned_own()
{
	return is_own<new_aligned_function>(operator new, strata_own_new_aligned);
}

inline bool is_new_array_aligned_own()
{
	return is_new_aligned_own() && is_own<new_aligned_function>(operator new[], strata_own_new_array_aligned);
}

inline bool is_delete_own()
{
	return is_own<delete_function>(operator delete, strata_delete);
}

inline bool is_delete_array_own()
{
	return is_delete_own() && is_own<delete_function>(operator delete[], strata_delete_array);
}

inline bool is_delete_aligned_own()
{
	return is_own<delete_aligned_function>(operator delete, strata_own_delete_aligned);
}

inline bool is_delete_array_aligned_own()
{
	return is_delete_aligned_own() &&
	       is_own<delete_aligned_function>(operator delete[], strata_own_delete_array_aligned);
}

STRATA_COLD void *replacement_nothrow(new_function replacement, size_t size)
{
	try {
		return replacement(size);
	} catch (...) {
		return nullptr;
	}
}

STRATA_COLD void *replacement_nothrow(new_aligned_function replacement, size_t size, std::align_val_t alignment)
{
	try {
		return replacement(size, alignment);
	} catch (...) {
		return nullptr;
	}
}

} // namespace

/* ---- operator new, the other forms --------------------------------------------------------------------------- */

STRATA_REPLACEABLE void *operator new(size_t size, const std::nothrow_t &nothrow) noexcept
{
	return is_new_own() ? new_nothrow(size, nothrow) : replacement_nothrow(operator new, size);
}

STRATA_REPLACEABLE void *operator new[](size_t size, const std::nothrow_t &nothrow) noexcept
{
	return is_new_array_own() ? new_nothrow(size, nothrow) : replacement_nothrow(operator new[], size);
}

STRATA_REPLACEABLE void *operator new[](size_t size, std::align_val_t alignment)
{
	return is_new_aligned_own() ? new_aligned(size, static_cast<size_t>(alignment)) : operator new(size, alignment);
}

STRATA_REPLACEABLE void *operator new(size_t size, std::align_val_t alignment, const std::nothrow_t &nothrow) noexcept
{
	return is_new_aligned_own() ? new_aligned_nothrow(size, static_cast<size_t>(alignment), nothrow)
	                            : replacement_nothrow(operator new, size, alignment);
}

STRATA_REPLACEABLE void *operator new[](size_t size, std::align_val_t alignment, const std::nothrow_t &nothrow) noexcept
{
	return is_new_array_aligned_own() ? new_aligned_nothrow(size, static_cast<size_t>(alignment), nothrow)
	                                  : replacement_nothrow(operator new[], size, alignment);
}

/* ---- operator delete, the other forms ------------------------------------------------------------------------ */

STRATA_REPLACEABLE void operator delete(void *block, const std::nothrow_t &) noexcept
{
	is_delete_own() ? strata_delete(block) : operator delete(block);
}

STRATA_REPLACEABLE void operator delete[](void *block, const std::nothrow_t &) noexcept
{
	is_delete_array_own() ? strata_delete(block) : operator delete[](block);
}

STRATA_REPLACEABLE void operator delete[](void *block, std::align_val_t alignment) noexcept
{
	is_delete_aligned_own() ? strata_delete(block) : operator delete(block, alignment);
}

STRATA_REPLACEABLE void operator delete(void *block, size_t size, std::align_val_t alignment) noexcept
{
	is_delete_aligned_own() ? strata_delete_sized_aligned(block, size) : operator delete(block, alignment);
}

STRATA_REPLACEABLE void operator delete[](void *block, size_t size, std::align_val_t alignment) noexcept
{
	is_delete_array_aligned_own() ? strata_delete_sized_aligned(block, size) : operator delete[](block, alignment);
}

STRATA_REPLACEABLE void operator delete(void *block, std::align_val_t alignment, const std::nothrow_t &) noexcept
{
	is_delete_aligned_own() ? strata_delete(block) : operator delete(block, alignment);
}

STRATA_REPLACEABLE void operator delete[](void *block, std::align_val_t alignment, const std::nothrow_t &) noexcept
{
	is_delete_array_aligned_own() ? strata_delete(block) : operator delete[](block, alignment);
}
