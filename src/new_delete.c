/* SPDX-License-Identifier: MIT */
#include "new_delete.h"

#include "background.h"
#include "entry.h"

/* As the Itanium C++ ABI mangles them. Weak, so that a program's own ones do not collide with libstrata.a. */
#define REPLACEABLE(own) __attribute__((weak, visibility("default"), alias(#own)))

void *operator_new(size_t size) __asm__("_Znwm") REPLACEABLE(strata_new);
void *operator_new_array(size_t size) __asm__("_Znam") REPLACEABLE(strata_new_array);
void operator_delete(void *block) __asm__("_ZdlPv") REPLACEABLE(strata_delete);
void operator_delete_array(void *block) __asm__("_ZdaPv") REPLACEABLE(strata_delete_array);
void operator_delete_sized(void *block, size_t size) __asm__("_ZdlPvm") REPLACEABLE(strata_delete_sized);
void operator_delete_array_sized(void *block, size_t size) __asm__("_ZdaPvm") REPLACEABLE(strata_delete_array_sized);

/* Whether the linker chose our operator: a program may replace one that others are defined by. The compiler sees both names
 * defined here and would draw conclusions: hidden from it, this is a load and a comparison. */
#define is_own(operator, own)                   \
	({                                      \
		__typeof__(&(own)) own_ = &(own); \
		forget(own_);                   \
		likely(&(operator) == own_);    \
	})

/* Calls the program's, which the compiler takes for ours where it sees the whole library: hidden from it likewise. Apart, so that the
 * address is not kept in a register from the comparison on. */
#define REPLACED(operator)                                     \
	({                                                     \
		__typeof__(&(operator)) theirs_ = &(operator); \
		__asm__("" : "+r"(theirs_));                   \
		theirs_;                                       \
	})

STRATA_COLD static void *program_new(size_t size)
{
	return REPLACED(operator_new)(size);
}

STRATA_COLD static void program_delete(void *block)
{
	REPLACED(operator_delete)(block);
}

STRATA_COLD static void program_delete_array(void *block)
{
	REPLACED(operator_delete_array)(block);
}

/* ---- new ------------------------------------------------------------------------------------------------------------ */

/* In C, so that no landing pad stands on the way; what throws is called last, and finds none of our frames above it. */
STRATA_COLD static void *new_slow(size_t size)
{
	void *block = allocate_slow_aligned16_for(size, __builtin_return_address(0));
	return likely(block != NULL) ? block : strata_new_failed(size);
}

STRATA_ENTRY void *strata_new(size_t size)
{
	return entry_allocate16(size, new_slow);
}

void *strata_new_array(size_t size)
{
	if (unlikely(!is_own(operator_new, strata_new)))
		return program_new(size);
	return entry_allocate16(size, new_slow);
}

/* ---- delete --------------------------------------------------------------------------------------------------------- */

STRATA_ENTRY void strata_delete(void *block)
{
	fast_free(block);
}

void strata_delete_array(void *block)
{
	if (unlikely(!is_own(operator_delete, strata_delete)))
		program_delete(block);
	else
		fast_free(block);
}

STRATA_ENTRY void strata_delete_sized(void *block, size_t size)
{
	if (unlikely(!is_own(operator_delete, strata_delete)))
		program_delete(block);
	else
		fast_free_sized(block, size);
}

/* What aligned new gave out: a program's plain delete has no part in that, and is not asked for. */
void strata_delete_sized_aligned(void *block, size_t size)
{
	fast_free_sized(block, size);
}

void strata_delete_array_sized(void *block, size_t size)
{
	if (unlikely(!is_own(operator_delete_array, strata_delete_array) || !is_own(operator_delete, strata_delete)))
		program_delete_array(block);
	else
		fast_free_sized(block, size);
}
