/* tokenizer_sentence: see tokenizer_sentence.h. */
#include "trainer/tokenizer_sentence.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "trainer/tokenizer_impl.h"
#include "trainer/tokenizer_spm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef LOGLOG_HAVE_SPM

#define SPACE "\xe2\x96\x81"

struct sentence {
    struct spm *spm;
    int32_t byte[256]; /* pieces of single bytes; -1: none */
    int by_bytes;      /* all of them are there, and no space in front */
    int by_line;       /* a line at a time */
};

static void collect(void *ctx, int id)
{
    token_list_add(ctx, id);
}

/* The text of a piece: spaces for U+2581, the byte of <0x0A>. */
static void piece_text(struct str *out, const char *piece, size_t n,
                       enum spm_kind kind)
{
    char byte;

    str_clear(out);
    if (kind == SPM_BYTE) {
        byte = (char)strtol(piece + 1, NULL, 16);
        str_add_n(out, &byte, 1);
        return;
    }
    for (size_t i = 0; i < n;) {
        int space = n - i >= 3 && !memcmp(piece + i, SPACE, 3);
        str_add_n(out, space ? " " : piece + i, 1);
        i += space ? 3 : 1;
    }
}

static int read_pieces(struct token_table *table, struct sentence *s,
                       const char *path, struct err *e)
{
    struct str text;
    int rc = 0;

    memset(s->byte, 0xff, sizeof s->byte);
    s->by_bytes = s->by_line = 1;
    str_init(&text);
    for (int id = 0; id < spm_vocab(s->spm) && !rc; id++) {
        enum spm_kind kind;
        size_t n;
        const char *piece = spm_piece(s->spm, id, &n, &kind);

        piece_text(&text, piece, n, kind);
        rc = token_table_put(table, id, text.text, text.len, path, e);
        if (rc)
            break;
        table->entry[id].special = kind == SPM_CONTROL || kind == SPM_UNKNOWN;
        if (kind == SPM_BYTE)
            s->byte[(uint8_t)text.text[0]] = id;
        else if (memchr(text.text, '\n', text.len))
            s->by_line = 0;
    }
    str_release(&text);
    for (int i = 0; i < 256; i++)
        s->by_bytes = s->by_bytes && s->byte[i] >= 0;
    return rc;
}

/* Is a space put in front of a text? */
static int find_prefix(int *prefix, const struct sentence *s, const char *path,
                       struct err *e)
{
    struct token_list l = {0};
    char why[SPM_WHY];
    enum spm_kind kind;
    size_t n = 0;
    const char *piece;

    if (spm_encode(s->spm, "a", 1, collect, &l, why) || !l.n)
        return err_set(e, ERR_USAGE, "%s: cannot encode", path);
    piece = spm_piece(s->spm, l.id[0], &n, &kind);
    *prefix = n >= 3 && !memcmp(piece, SPACE, 3);
    free(l.id);
    return 0;
}

int tokenizer_open_spm(struct tokenizer *t, const char *path, const char *mark,
                       struct err *e)
{
    struct sentence *s = xcalloc(1, sizeof *s);
    struct token_table table = {0};
    char why[SPM_WHY], eos[16];
    int rc;

    t->spm = s;
    if (access(path, R_OK))
        return err_errno(e, "%s", path);
    if (spm_load(&s->spm, path, why))
        return err_set(e, ERR_USAGE, "%s: no SentencePiece model (%s)", path,
                       why);
    if (!mark && spm_eos(s->spm) >= 0) {
        snprintf(eos, sizeof eos, "%d", spm_eos(s->spm));
        mark = eos;
    }
    rc = read_pieces(&table, s, path, e) ||
         find_prefix(&t->prefix, s, path, e) ||
         tokenizer_set_mark(t, &table, mark, path, e);
    if (!rc)
        token_texts_init(&t->texts, &table, (size_t)t->info.vocab);
    s->by_bytes = s->by_bytes && !t->prefix;
    s->by_line = s->by_line && s->by_bytes;
    token_table_release(&table);
    return rc ? -1 : 0;
}

void sentence_close(struct sentence *s)
{
    if (!s)
        return;
    if (s->spm)
        spm_free(s->spm);
    free(s);
}

/* How much of text can be given to the library at once: UTF-8 without
 * U+2581, up to the end of a line. */
static size_t stretch(const struct sentence *s, const uint8_t *text, size_t n)
{
    const uint8_t *p;

    if (!s->by_bytes)
        return n;
    p = s->by_line ? memchr(text, '\n', n) : NULL;
    n = p ? (size_t)(p - text) + 1 : n;
    p = memmem(text, n, SPACE, 3);
    n = p ? (size_t)(p - text) : n;
    return utf8_prefix(text, n);
}

int sentence_encode(struct token_list *out, const struct sentence *s,
                    const uint8_t *text, size_t n, struct err *e)
{
    char why[SPM_WHY];
    size_t len;

    for (size_t at = 0; at < n; at += len) {
        len = stretch(s, text + at, n - at);
        if (!len) { /* one byte that the library would change */
            len = 1;
            token_list_add(out, s->byte[text[at]]);
        } else if (spm_encode(s->spm, (const char *)text + at, len, collect,
                              out, why)) {
            return err_set(e, ERR_USAGE, "offset %zu: %s", at, why);
        }
    }
    return 0;
}

int tokenizer_train(const char *out, const char *text, int64_t vocab,
                    int threads, struct err *e)
{
    char why[SPM_WHY], prefix[512], file[600];
    struct str args;
    int rc;

    if (strpbrk(text, " ,") || strpbrk(out, " ,") || strlen(out) > 500)
        return err_set(e, ERR_USAGE, "%s, %s: path with a space or comma", text,
                       out);
    snprintf(prefix, sizeof prefix, "%s.training", out);
    str_init(&args);
    str_addf(&args,
             "--input=%s --model_prefix=%s --model_type=bpe "
             "--vocab_size=%" PRId64 " --byte_fallback=true "
             "--normalization_rule_name=identity "
             "--remove_extra_whitespaces=false --add_dummy_prefix=false "
             "--allow_whitespace_only_pieces=true --split_digits=true "
             "--character_coverage=0.9995 --max_sentence_length=1000000 "
             "--num_threads=%d --bos_id=-1 --pad_id=-1 --unk_id=0 --eos_id=1 "
             "--minloglevel=2",
             text, prefix, vocab, threads);
    rc = spm_train(args.text, why);
    str_release(&args);
    if (rc)
        return err_set(e, ERR_USAGE, "%s: cannot be learned from: %s", text,
                       why);
    snprintf(file, sizeof file, "%s.vocab", prefix);
    unlink(file);
    snprintf(file, sizeof file, "%s.model", prefix);
    return rename(file, out) ? err_errno(e, "%s", out) : 0;
}

#else

static int without(struct err *e)
{
    return err_set(e, ERR_ENV,
                   "this build has no SentencePiece (package "
                   "libsentencepiece-dev, then build again)");
}

int tokenizer_open_spm(struct tokenizer *t, const char *path, const char *mark,
                       struct err *e)
{
    (void)t, (void)path, (void)mark;
    return without(e);
}

void sentence_close(struct sentence *s)
{
    (void)s;
}

int sentence_encode(struct token_list *out, const struct sentence *s,
                    const uint8_t *text, size_t n, struct err *e)
{
    (void)out, (void)s, (void)text, (void)n;
    return without(e);
}

int tokenizer_train(const char *out, const char *text, int64_t vocab,
                    int threads, struct err *e)
{
    (void)out, (void)text, (void)vocab, (void)threads;
    return without(e);
}

#endif
