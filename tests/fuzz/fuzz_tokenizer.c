/* Any bytes as a tokenizer's file: tokenizer_open refuses them with a message,
 * or what it made encodes text that it gives back.  And any bytes as text
 * under tokenizers that are sound.  The first byte of an input says which. */
#include "base/mem.h"
#include "base/str.h"
#include "trainer/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH 128

static void save(const char *path, const uint8_t *data, size_t size)
{
    FILE *f = fopen(path, "wb");

    BUG_ON(!f);
    BUG_ON(fwrite(data, 1, size, f) != size);
    fclose(f);
}

/* There and back; what cannot come back is an error with a message. */
static void round_trip(const struct tokenizer *t, const uint8_t *text, size_t n)
{
    struct tokenizer_coder *c = tokenizer_coder_create(t);
    struct token_list l = {0};
    struct err e = {0};
    struct str back;

    str_init(&back);
    if (tokenizer_encode(&l, c, text, n, &e)) {
        BUG_ON(!e.text[0]);
    } else {
        BUG_ON(tokenizer_decode(&back, t, l.id, l.n, &e));
        BUG_ON(back.len != n || memcmp(back.text, text, n));
    }
    str_release(&back);
    free(l.id);
    tokenizer_coder_destroy(c);
}

static void as_file(const char *suffix, const char *pattern,
                    const uint8_t *data, size_t size)
{
    static const char text[] = "The 12 quick\n  brown \xe4\xb8\xad\xe6\x96\x87 "
                               "it's\t\xff<|endoftext|>!!  ";
    char path[PATH], named[2 * PATH];
    struct tokenizer *t;
    struct err e = {0};

    snprintf(path, sizeof path, "/dev/shm/fuzz_tokenizer.%ld.%s",
             (long)getpid(), suffix);
    snprintf(named, sizeof named, "%s%s", path, pattern);
    save(path, data, size);
    if (tokenizer_open(&t, named, NULL, &e)) {
        BUG_ON(!e.text[0]);
    } else {
        round_trip(t, (const uint8_t *)text, sizeof text - 1);
        tokenizer_close(t);
    }
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"gpt2.json", "deepseek3.json",
                                        "small.tiktoken:cl100k",
                                        "small.tiktoken:o200k"};
    static struct tokenizer *sound[ARRAY_LEN(names)];
    char path[512];

    if (!sound[0])
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
            snprintf(path, sizeof path, LOGLOG_GOLDEN "/tokenizers/%s",
                     names[i]);
            BUG_ON(tokenizer_open(&sound[i], path, NULL, NULL));
        }
    if (!size)
        return 0;
    if (data[0] == '{')
        as_file("json", "", data, size);
    else if (data[0] < ARRAY_LEN(names))
        round_trip(sound[data[0]], data + 1, size - 1);
    else
        as_file("tiktoken", ":llama3", data, size);
    return 0;
}
