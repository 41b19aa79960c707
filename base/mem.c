/* mem: see mem.h. */
#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)1 << 21)

#ifndef __has_feature
#define __has_feature(x) 0
#endif
/* Tensors from here on have pages of their own; a sanitizer guards only what
 * comes from malloc. */
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define LARGE SIZE_MAX
#else
#define LARGE HUGE_PAGE
#endif

static void *checked(void *p)
{
    if (!p) {
        fputs("loglog: out of memory\n", stderr);
        abort();
    }
    return p;
}

void *xmalloc(size_t size)
{
    return checked(malloc(size ? size : 1));
}

void *xcalloc(size_t n, size_t size)
{
    return checked(calloc(n ? n : 1, size ? size : 1));
}

void *xrealloc(void *p, size_t size)
{
    return checked(realloc(p, size ? size : 1));
}

char *xstrdup(const char *s)
{
    return checked(strdup(s));
}

void *mem_grow(void *p, size_t *cap, size_t need, size_t size)
{
    size_t n = *cap ? *cap : 8;

    if (need <= *cap)
        return p;
    while (n < need) {
        BUG_ON(n > SIZE_MAX / 2);
        n *= 2;
    }
    BUG_ON(size && n > SIZE_MAX / size);
    *cap = n;
    return xrealloc(p, n * size);
}

/* In front of a tensor: what to give back, and how. */
struct front {
    void *base;
    size_t mapped; /* bytes of a mapping; 0: from malloc */
};
#define FRONT ((size_t)64) /* keeps what follows aligned */

static void *behind(void *base, size_t mapped, char *at)
{
    const struct front f = {base, mapped};

    memcpy(at - FRONT, &f, sizeof f);
    return at;
}

/* Small enough to come from malloc. */
static void *small_tensor(size_t bytes)
{
    void *base;

    if (posix_memalign(&base, FRONT, FRONT + bytes))
        return NULL;
    return behind(base, 0, memset((char *)base + FRONT, 0, bytes));
}

/* Pages of its own, which the kernel zeroes when they are first written to.
 * Huge ones as far as whole ones go, so that no byte more is resident: without
 * them a step of a large model waits for the translation of addresses. */
static void *large_tensor(size_t bytes)
{
    size_t room = bytes + HUGE_PAGE + FRONT;
    char *base, *at;

    if (room < bytes)
        return NULL;
    base = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                -1, 0);
    if (base == MAP_FAILED)
        return NULL;
    at = base + FRONT;
    at += -(uintptr_t)at % HUGE_PAGE;
#ifdef MADV_HUGEPAGE
    madvise(at, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#endif
    return behind(base, room, at);
}

void *mem_tensor(size_t bytes)
{
    size_t rounded = (bytes + 63) / 64 * 64;

    if (rounded < bytes || rounded > SIZE_MAX / 2)
        return NULL;
    return rounded < LARGE ? small_tensor(rounded) : large_tensor(rounded);
}

void mem_tensor_free(void *p)
{
    struct front f;

    if (!p)
        return;
    memcpy(&f, (char *)p - FRONT, sizeof f);
    if (f.mapped)
        munmap(f.base, f.mapped);
    else
        free(f.base);
}

void mem_bug(const char *file, int line, const char *what)
{
    fprintf(stderr, "loglog: BUG at %s:%d: %s\n", file, line, what);
    abort();
}
