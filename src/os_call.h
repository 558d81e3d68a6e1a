/* SPDX-License-Identifier: MIT */
/*
 * A call of the system, without libc's syscall(): torsocks and uid_wrapper, among others, stand in front of that, lock and allocate in it,
 * and refuse what they do not know; we call in the middle of an allocation. Not for mmap and its like: who keeps books of what is mapped
 * (UCX, for memory that devices reach) has to see those.
 */
#ifndef STRATA_OS_CALL_H
#define STRATA_OS_CALL_H

#include <sys/syscall.h>

/* What the kernel says: -errno where it fails. errno stays as it is. */
static inline long os_call_6(long number, long a, long b, long c, long d, long e, long f)
{
#ifdef __aarch64__
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;
	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
#else
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
#endif
}

/* os_call(number, up to six numbers or pointers). */
#define os_call(...) OS_CALL_WITH_ALL(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
#define OS_CALL_WITH_ALL(number, a, b, c, d, e, f, ...) \
	os_call_6((number), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#endif
