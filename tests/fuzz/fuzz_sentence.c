/* Any bytes as a SentencePiece model: tokenizer_open refuses them with a
 * message, or what it made encodes text that it gives back.  The library that
 * reads the model is the system's, without instrumentation of its own. */
#include "base/mem.h"
#include "base/str.h"
#include "trainer/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void save(const char *path, const uint8_t *data, size_t size)
{
    FILE *f = fopen(path, "wb");

    BUG_ON(!f);
    BUG_ON(fwrite(data, 1, size, f) != size);
    fclose(f);
}

/* There and back; what cannot come back is an error with a message. */
static void round_trip(const struct tokenizer *t)
{
    static const char text[] = "The 12 quick\n  brown \xe4\xb8\xad\xe6\x96\x87 "
                               "it's\t\xff \xe2\x96\x81<s></s>!!  ";
    struct tokenizer_coder *c = tokenizer_coder_create(t);
    struct token_list l = {0};
    struct err e = {0};
    struct str back;

    str_init(&back);
    if (tokenizer_encode(&l, c, (const uint8_t *)text, sizeof text - 1, &e)) {
        BUG_ON(!e.text[0]);
    } else {
        BUG_ON(tokenizer_decode(&back, t, l.id, l.n, &e));
        BUG_ON(back.len != sizeof text - 1 ||
               memcmp(back.text, text, back.len));
    }
    for (size_t i = 0; i < l.n; i++)
        BUG_ON(l.id[i] < 0 || l.id[i] >= tokenizer_info(t)->vocab);
    str_release(&back);
    free(l.id);
    tokenizer_coder_destroy(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tokenizer *t;
    struct err e = {0};
    char path[96];

    snprintf(path, sizeof path, "/dev/shm/fuzz_sentence.%ld.model",
             (long)getpid());
    save(path, data, size);
    if (tokenizer_open(&t, path, NULL, &e)) {
        BUG_ON(!e.text[0]);
    } else {
        round_trip(t);
        tokenizer_close(t);
    }
    unlink(path);
    return 0;
}
