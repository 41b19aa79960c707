/* Any bytes as what data pack reads: JSON lines, UTF-8 or not, and the
 * windows and near-copy values of any text. */
#include "base/mem.h"
#include "trainer/pack_near.h"
#include "trainer/pack_source.h"
#include "trainer/pack_stream.h"
#include "trainer/pack_window.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int document(void *ctx, const uint8_t *text, size_t n, int64_t offset,
                    struct err *e)
{
    size_t *all = ctx, first = 0;

    (void)e;
    BUG_ON(offset < 0);
    BUG_ON(pack_invalid_utf8(text, n, &first) > n);
    *all += n;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t a[PACK_NEAR_VALUES], b[PACK_NEAR_VALUES];
    int64_t sampled, found;
    struct windows w;
    struct err e = {0};
    size_t all = 0;
    char path[96];
    FILE *f;

    snprintf(path, sizeof path, "/dev/shm/fuzz_text.%ld.jsonl", (long)getpid());
    f = fopen(path, "wb");
    BUG_ON(!f || fwrite(data, 1, size, f) != size);
    fclose(f);
    if (pack_stream_each(path, "text", document, &all, &e))
        BUG_ON(!e.text[0]);
    unlink(path);
    document(&all, data, size, 0, &e);
    pack_near_values(a, data, size);
    pack_near_values(b, data, size);
    BUG_ON(memcmp(a, b, sizeof a));
    windows_init(&w, 16);
    windows_add(&w, data, size);
    windows_find(&w, 1, data, size);
    windows_overlap(&w, data, size, &sampled, &found);
    BUG_ON(sampled != found);
    windows_release(&w);
    return 0;
}
