/* SPDX-License-Identifier: MIT */
/*
 * strata for C++17, header only: memory resources over the domains and over a registered type, an allocator for
 * containers, smart pointers to objects of a registered type. What strata.h, domain.h and typed.h say of threads and
 * signals holds here.
 *
 * Alignment: any power of two that the domain serves, over-aligned types (alignas(64)) included; a typed list serves up
 * to its type's alignment, 4096 at most, and a T above that does not compile. Memory refused, by the system, a limit or
 * a domain's hard quota: std::bad_alloc; under -fno-exceptions std::abort.
 *
 * With a library that has no <memory_resource> (libc++ before 16), its <experimental/memory_resource> is taken;
 * strata::pmr names whichever it is. Without either the resources are left out, and STRATA_HAVE_PMR is 0.
 */
#ifndef STRATA_HPP
#define STRATA_HPP

#if __cplusplus < 201703L
#error "strata.hpp needs C++17"
#endif

#include <strata/domain.h>
#include <strata/typed.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <sched.h>

#if __has_include(<memory_resource>)
#include <memory_resource>
#define STRATA_HAVE_PMR 1
namespace strata {
namespace pmr = std::pmr;
}
#elif __has_include(<experimental/memory_resource>)
#include <experimental/memory_resource>
#define STRATA_HAVE_PMR 1
namespace strata {
namespace pmr = std::experimental::pmr;
}
#else
#define STRATA_HAVE_PMR 0
#endif

namespace strata {

namespace detail {

[[noreturn]] inline void refuse()
{
#ifdef __cpp_exceptions
	throw std::bad_alloc();
#else
	std::abort();
#endif
}

/* Every domain aligns to 16 what is a multiple of 16, also through a table of the user's that has malloc alone. */
inline void *allocate(enum strata_domain domain, std::size_t size, std::size_t alignment)
{
	void *block = nullptr;
	if (size <= PTRDIFF_MAX) {
		if (alignment <= 8)
			block = strata_domain_malloc(domain, size);
		else if (alignment <= 16)
			block = strata_domain_malloc(domain, size == 0 ? 16 : (size + 15) & ~std::size_t{15});
		else
			block = strata_domain_aligned_alloc(domain, alignment, size);
	}
	if (block == nullptr)
		refuse();
	return block;
}

} // namespace detail

/* For the containers of the standard library (C++17 20.5.3.5): blocks of one domain. Stateless, all equal. n objects
 * whose size overflows: std::bad_alloc. A block may be freed by any thread. */
template <class T, enum strata_domain Domain = STRATA_DOMAIN_OBJ>
class allocator {
	static_assert(Domain >= STRATA_DOMAIN_RAW && Domain < STRATA_DOMAIN_TYPED, "raw, mem, obj or buf");

public:
	using value_type = T;
	using is_always_equal = std::true_type;
	using propagate_on_container_move_assignment = std::true_type;
	template <class U>
	struct rebind {
		using other = allocator<U, Domain>;
	};

	constexpr allocator() noexcept = default;
	template <class U>
	constexpr allocator(const allocator<U, Domain> &) noexcept
	{
	}

	[[nodiscard]] T *allocate(std::size_t n)
	{
		if (n > PTRDIFF_MAX / sizeof(T))
			detail::refuse();
		return static_cast<T *>(detail::allocate(Domain, n * sizeof(T), alignof(T)));
	}
	void deallocate(T *block, std::size_t) noexcept { strata_domain_free(Domain, block); }
};

template <class T, class U, enum strata_domain Domain>
constexpr bool operator==(const allocator<T, Domain> &, const allocator<U, Domain> &) noexcept
{
	return true;
}

template <class T, class U, enum strata_domain Domain>
constexpr bool operator!=(const allocator<T, Domain> &, const allocator<U, Domain> &) noexcept
{
	return false;
}

/* ---- Objects of a registered type ------------------------------------------------------------------------------- */

/* T, registered as a type of STRATA_FIXED without callbacks. Make one object of this class for each T, and let it outlive
 * the T's. Its end unregisters the type; where T's are still live the type stays registered, so that they can be freed.
 * Before its end, what other threads did with the type must have happened (see strata_type_unregister). */
template <class T>
class object_type {
	static_assert(alignof(T) <= 4096, "typed lists align to 4096 bytes at most");
	static_assert(sizeof(T) <= UINT32_MAX, "objects of typed lists are below 4 GiB");

public:
	/* The bounds of each thread's list as in strata_type_info, 0: the default. std::bad_alloc: no room for a type. */
	explicit object_type(const char *name, std::size_t cache_objects = 0, std::size_t cache_bytes = 0)
	    : type_(registered(name, cache_objects, cache_bytes))
	{
	}
	object_type(const object_type &) = delete;
	object_type &operator=(const object_type &) = delete;
	~object_type()
	{
		/* EAGAIN: another thread is trimming the type. The one wait in this header: as long as that takes. */
		while (strata_type_unregister(type_, nullptr) == EAGAIN)
			sched_yield();
	}

	strata_type *get() const noexcept { return type_; }

private:
	strata_type *type_;

	static strata_type *registered(const char *name, std::size_t cache_objects, std::size_t cache_bytes)
	{
		strata_type_info info = {};
		info.name = name;
		info.shape = STRATA_FIXED;
		info.size = sizeof(T);
		info.alignment = alignof(T) < 8 ? 8 : alignof(T);
		info.cache_objects = cache_objects;
		info.cache_bytes = cache_bytes;
		strata_type *type = strata_type_register(&info, sizeof info);
		if (type == nullptr)
			detail::refuse();
		return type;
	}
};

/* Destroys a T and frees it to its type. The T must be of that very type: there is no conversion to a base's pointer. */
template <class T>
struct type_deleter {
	strata_type *type;

	void operator()(T *object) const noexcept
	{
		object->~T();
		strata_type_free(type, object);
	}
};

template <class T>
using unique_ptr = std::unique_ptr<T, type_deleter<T>>;

/* A T in an object of the type, which must be STRATA_FIXED, without construct, and of T's size and alignment at least
 * (not verified). What T's constructor throws is passed on, and the object goes back. */
template <class T, class... Args>
[[nodiscard]] unique_ptr<T> make_unique(strata_type *type, Args &&...args)
{
	struct holder {
		strata_type *type;
		void *object;
		~holder()
		{
			if (object != nullptr)
				strata_type_free(type, object);
		}
	} held{type, strata_type_alloc(type)};
	if (held.object == nullptr)
		detail::refuse();
	T *made = ::new (held.object) T(std::forward<Args>(args)...);
	held.object = nullptr;
	return unique_ptr<T>(made, type_deleter<T>{type});
}

template <class T, class... Args>
[[nodiscard]] unique_ptr<T> make_unique(const object_type<T> &type, Args &&...args)
{
	return make_unique<T>(type.get(), std::forward<Args>(args)...);
}

/* ---- Memory resources ------------------------------------------------------------------------------------------- */

#if STRATA_HAVE_PMR

/* Blocks of one domain. All resources of a domain are equal (without RTTI each is equal to itself alone). */
template <enum strata_domain Domain>
class domain_resource final : public pmr::memory_resource {
	static_assert(Domain >= STRATA_DOMAIN_RAW && Domain < STRATA_DOMAIN_TYPED, "raw, mem, obj or buf");

	void *do_allocate(std::size_t bytes, std::size_t alignment) override
	{
		return detail::allocate(Domain, bytes, alignment);
	}
	void do_deallocate(void *block, std::size_t, std::size_t) override { strata_domain_free(Domain, block); }
	bool do_is_equal(const pmr::memory_resource &other) const noexcept override
	{
#ifdef __cpp_rtti
		return this == &other || dynamic_cast<const domain_resource *>(&other) != nullptr;
#else
		return this == &other;
#endif
	}
};

/* The domain's resource, which is never destroyed: containers of static storage may use it. */
template <enum strata_domain Domain = STRATA_DOMAIN_OBJ>
pmr::memory_resource *resource()
{
	alignas(domain_resource<Domain>) static unsigned char storage[sizeof(domain_resource<Domain>)];
	static pmr::memory_resource *const one = ::new (storage) domain_resource<Domain>;
	return one;
}

/* Requests of up to size bytes, aligned to at most alignment, take an object of the type, which must be STRATA_FIXED, have
 * no construct, and be registered with at least these; all others go to upstream. For containers that allocate node by
 * node: std::list and std::map take one size, a vector's buffer goes upstream. The type outlives the resource. */
class type_resource final : public pmr::memory_resource {
public:
	type_resource(strata_type *type, std::size_t size, std::size_t alignment,
	              pmr::memory_resource *upstream = resource<STRATA_DOMAIN_OBJ>()) noexcept
	    : type_(type), size_(size), alignment_(alignment), upstream_(upstream)
	{
	}
	template <class T>
	explicit type_resource(const object_type<T> &type,
	                       pmr::memory_resource *upstream = resource<STRATA_DOMAIN_OBJ>()) noexcept
	    : type_resource(type.get(), sizeof(T), alignof(T) < 8 ? 8 : alignof(T), upstream)
	{
	}
	/* A copy is equal to the original; what is in use does not become another one. */
	type_resource(const type_resource &) = default;
	type_resource &operator=(const type_resource &) = delete;

private:
	strata_type *type_;
	std::size_t size_;
	std::size_t alignment_;
	pmr::memory_resource *upstream_;

	bool fits(std::size_t bytes, std::size_t alignment) const noexcept
	{
		return bytes <= size_ && alignment <= alignment_;
	}
	void *do_allocate(std::size_t bytes, std::size_t alignment) override
	{
		if (!fits(bytes, alignment))
			return upstream_->allocate(bytes, alignment);
		void *object = strata_type_alloc(type_);
		if (object == nullptr)
			detail::refuse();
		return object;
	}
	void do_deallocate(void *block, std::size_t bytes, std::size_t alignment) override
	{
		if (fits(bytes, alignment))
			strata_type_free(type_, block);
		else
			upstream_->deallocate(block, bytes, alignment);
	}
	bool do_is_equal(const pmr::memory_resource &other) const noexcept override
	{
		if (this == &other)
			return true;
#ifdef __cpp_rtti
		const auto *like = dynamic_cast<const type_resource *>(&other);
		return like != nullptr && type_ == like->type_ && size_ == like->size_ && alignment_ == like->alignment_ &&
		       upstream_->is_equal(*like->upstream_);
#else
		return false;
#endif
	}
};

#endif /* STRATA_HAVE_PMR */

} // namespace strata

#endif /* STRATA_HPP */
