/* pick: which implementation this process uses. */
#include "trainer/backend.h"

#include "sweep/spec.h"

#include <stdlib.h>
#include <string.h>

/* clang-format off */
const struct backend *const backend_list[] = {
#ifdef __x86_64__
    &backend_avx512,
    &backend_avx2,
    &backend_avx512_pairs,
    &backend_avx512_bf16,
    &backend_avx2_bf16,
#endif
    &backend_portable,
    &backend_portable_bf16,
    &backend_reference,
    &backend_reference_bf16,
    NULL};
/* clang-format on */

const struct backend *backend_find(const char *name)
{
    for (const struct backend *const *b = backend_list; *b; b++)
        if (strcmp((*b)->name, name) == 0 && (*b)->usable())
            return *b;
    return NULL;
}

const struct backend *backend_pick(int64_t dtype)
{
    int bf16 = dtype == DTYPE_BF16;
    const char *name = getenv("LOGLOG_BACKEND");
    const struct backend *b = name ? backend_find(name) : NULL;

    if (b && b->bf16 == bf16)
        return b;
    for (const struct backend *const *p = backend_list; *p; p++)
        if ((*p)->bf16 == bf16 && (*p)->usable() &&
            (!(*p)->quick || (*p)->quick()))
            return *p;
    return NULL;
}
