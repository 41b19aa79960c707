/* mem: see mem.h. */
#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)1 << 21)

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

void *mem_tensor(size_t bytes)
{
    size_t align = bytes < HUGE_PAGE ? 64 : HUGE_PAGE;
    size_t rounded = (bytes + 63) / 64 * 64;
    void *p;

    if (rounded < bytes)
        return NULL;
    rounded = rounded ? rounded : 64;
    /* not aligned_alloc, which wants a size in whole multiples of align */
    if (posix_memalign(&p, align, rounded))
        return NULL;
#ifdef MADV_HUGEPAGE
    /* A hint: without it, a step of a large model waits for the translation
     * of addresses.  Whole pages only, so that no byte more is resident. */
    if (align == HUGE_PAGE)
        madvise(p, rounded / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#endif
    memset(p, 0, rounded);
    return p;
}

void mem_tensor_free(void *p)
{
    free(p);
}

void mem_bug(const char *file, int line, const char *what)
{
    fprintf(stderr, "loglog: BUG at %s:%d: %s\n", file, line, what);
    abort();
}
