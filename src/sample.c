/* SPDX-License-Identifier: MIT */
#include "sample.h"

#include "number_stack.h"
#include "reserve_once.h"

/* A block in use has size + 1 here, else it is 0. Written by whoever begins, resizes and ends, read by whoever writes the profile. Release:
 * the stack; partner: the acquire in sample_look. Whoever sees the same before and after has read the stack of that block, or of one of the
 * same size that began meanwhile. */
struct sample {
	_Atomic uint64_t held;
	_Atomic stack_number stack; /* by whoever begins */
	_Atomic uint32_t next;      /* number_stack.h */
};

/* So many blocks at a time: 64 GiB of them at the usual rate. What is beyond is not sampled. */
#define SAMPLES_MOST (1u << 17)
#define TABLE_BYTES (SAMPLES_MOST * sizeof(struct sample))

static reserved_once table;
/* The number that nobody had yet; added to by whoever takes it. Relaxed: it only gives each his own. */
static _Atomic uint32_t begun = 1;
/* Numbers that were let go; changed by all. */
static number_stack ended;

static struct sample *sample_at(uint32_t number)
{
	return (struct sample *)reserved_at(&table) + number;
}

static _Atomic uint32_t *next_of(uint32_t number)
{
	return &sample_at(number)->next;
}

static uint32_t take_number(void)
{
	if (reserve_once(&table, TABLE_BYTES, TABLE_BYTES) == NULL)
		return 0;
	uint32_t number = number_stack_pop(&ended, next_of);
	if (number != 0)
		return number;
	number = atomic_load_explicit(&begun, memory_order_relaxed);
	while (number < SAMPLES_MOST &&
	       !atomic_compare_exchange_weak_explicit(&begun, &number, number + 1, memory_order_relaxed, memory_order_relaxed))
		;
	return number < SAMPLES_MOST ? number : 0;
}

uint32_t sample_begin(size_t size, stack_number stack)
{
	uint32_t number = take_number();
	if (number == 0)
		return 0;
	atomic_store_explicit(&sample_at(number)->stack, stack, memory_order_relaxed);
	atomic_store_explicit(&sample_at(number)->held, (uint64_t)size + 1, memory_order_release);
	return number;
}

void sample_resize(uint32_t number, size_t size)
{
	atomic_store_explicit(&sample_at(number)->held, (uint64_t)size + 1, memory_order_release);
}

void sample_end(uint32_t number)
{
	atomic_store_explicit(&sample_at(number)->held, 0, memory_order_relaxed);
	number_stack_push(&ended, number, next_of);
}

size_t sample_committed(void)
{
	return reserved_at(&table) != NULL ? TABLE_BYTES : 0;
}

uint32_t sample_bound(void)
{
	return reserved_at(&table) != NULL ? atomic_load_explicit(&begun, memory_order_relaxed) : 0;
}

bool sample_look(uint32_t number, size_t *size, stack_number *stack)
{
	const struct sample *sample = sample_at(number);
	uint64_t held = atomic_load_explicit(&sample->held, memory_order_acquire);
	*stack = atomic_load_explicit(&sample->stack, memory_order_acquire); /* before held is looked at again */
	*size = (size_t)held - 1;
	return held != 0 && atomic_load_explicit(&sample->held, memory_order_relaxed) == held;
}
