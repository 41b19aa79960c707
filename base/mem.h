/* mem: small allocations that cannot fail, large ones that may, and BUG_ON.
 *
 * xmalloc and its kin abort when memory is exhausted, so no caller carries a
 * check; they are for small things.  Tensors come from mem_tensor, which may
 * fail, because a run that does not fit is a result and not an end. */
#ifndef LOGLOG_BASE_MEM_H
#define LOGLOG_BASE_MEM_H

#include <stddef.h>

void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);

/* A new array of n elements of `size` bytes, grown to hold at least `need`
 * of them (doubling); *cap is the capacity in elements. */
void *mem_grow(void *p, size_t *cap, size_t need, size_t size);

/* Zeroed memory aligned to 64 bytes, or NULL.  Free with mem_tensor_free. */
void *mem_tensor(size_t bytes);
void mem_tensor_free(void *p);

/* Our own mistake: say where and stop the process (and so, through its
 * launcher, every rank).  The user's mistakes go through struct err. */
#define BUG_ON(cond)                                                           \
    do {                                                                       \
        if (cond)                                                              \
            mem_bug(__FILE__, __LINE__, #cond);                                \
    } while (0)
void mem_bug(const char *file, int line, const char *what)
    __attribute__((noreturn));

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
