/* checkpoint: see checkpoint.h.
 *
 * The format, little-endian:
 *
 *   struct header                 (below)
 *   the run's canonical text      spec_len bytes, zeros up to a multiple of 64
 *   parameters, m, v              n floats each
 *
 * and nothing behind it. */
#include "trainer/checkpoint.h"

#include "base/fault.h"
#include "base/hash.h"
#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "LOGLOGCK"
#define VERSION 1
#define SPEC_MAX ((uint64_t)1 << 16) /* bytes of a canonical text */
#define PIECE ((size_t)8 << 20)      /* bytes written at a time */

struct header {
    char magic[8];
    uint32_t version; /* other byte order: another version */
    uint32_t spec_len;
    int64_t step, above, evaluated;
    int64_t tokens; /* step * batch_tokens; for people */
    uint64_t n;
    uint64_t spec_xxh3; /* of the text with its zeros */
    uint64_t block_xxh3[CHECKPOINT_BLOCKS];
    uint64_t zero[4];
    uint64_t header_xxh3; /* of what is above */
};
_Static_assert(sizeof(struct header) == 128, "the header has no padding");

static const char *const block_name[CHECKPOINT_BLOCKS] = {
    "parameters", "first moments", "second moments"};
static const char *const suffix[] = {
    [CHECKPOINT_LAST] = "ckpt",
    [CHECKPOINT_TRUNK] = "trunk",
};

int checkpoint_path(char path[PATH_MAX], const char *dir,
                    const struct run_spec *spec, int64_t step,
                    enum checkpoint_kind kind, struct err *e)
{
    int n = snprintf(path, PATH_MAX, "%s/%016" PRIx64 "-%012" PRId64 ".%s", dir,
                     (uint64_t)spec_id(spec), step, suffix[kind]);

    /* Room for the temporary name too (base/file.c). */
    if (n > PATH_MAX - 32)
        return err_set(e, ERR_USAGE, "%.100s...: path too long", dir);
    return 0;
}

static size_t padded(size_t n)
{
    return (n + 63) / 64 * 64;
}

/* --- writing --- */

struct content {
    struct header header;
    const char *spec; /* padded(header.spec_len) bytes */
    const float *const *block;
};

static int write_pieces(int fd, const void *data, size_t len, struct err *e)
{
    const char *p = data;

    while (len) {
        size_t n = len < PIECE ? len : PIECE;
        if (file_write_all(fd, p, n, e))
            return -1;
        p += n;
        len -= n;
    }
    return 0;
}

static int fill(int fd, void *ctx, struct err *e)
{
    const struct content *c = ctx;

    if (fault_at("checkpoint-write")) {
        errno = ENOSPC;
        return err_errno(e, "write");
    }
    if (write_pieces(fd, &c->header, sizeof c->header, e) ||
        write_pieces(fd, c->spec, padded(c->header.spec_len), e))
        return -1;
    for (int b = 0; b < CHECKPOINT_BLOCKS; b++) {
        if (b == BLOCK_M && fault_at("checkpoint-kill"))
            raise(SIGKILL);
        if (write_pieces(fd, c->block[b], c->header.n * sizeof(float), e))
            return -1;
    }
    return 0;
}

int checkpoint_write(const char *path, const struct run_spec *spec,
                     const struct checkpoint_state *state,
                     const float *const block[CHECKPOINT_BLOCKS], size_t n,
                     struct err *e)
{
    struct content c = {
        .header = {.magic = MAGIC,
                   .version = VERSION,
                   .step = state->step,
                   .above = state->above,
                   .evaluated = state->evaluated,
                   .tokens = state->step * spec->batch_tokens,
                   .n = n},
        .block = block,
    };
    static const char zeros[64];
    struct str text;
    int rc;

    str_init(&text);
    spec_print(&text, spec);
    c.header.spec_len = (uint32_t)text.len;
    str_add_n(&text, zeros, padded(text.len) - text.len);
    c.header.spec_xxh3 = hash_xxh3(text.text, text.len);
    c.spec = text.text;
    for (int b = 0; b < CHECKPOINT_BLOCKS; b++)
        c.header.block_xxh3[b] = hash_xxh3(block[b], n * sizeof(float));
    c.header.header_xxh3 =
        hash_xxh3(&c.header, offsetof(struct header, header_xxh3));
    rc = file_write_with(path, fill, &c, e);
    str_release(&text);
    return rc;
}

/* --- reading --- */

static int damaged(struct err *e, const char *path, const char *what)
{
    return err_set(e, ERR_USAGE, "%s: damaged checkpoint: %s", path, what);
}

/* The sizes that the header states are those of the file. */
static int check_header(const struct header *h, size_t len, const char *path,
                        struct err *e)
{
    if (memcmp(h->magic, MAGIC, sizeof h->magic))
        return err_set(e, ERR_USAGE, "%s: not a checkpoint", path);
    if (h->version != VERSION)
        return err_set(e, ERR_USAGE,
                       "%s: checkpoint of version %" PRIu32
                       ", this program reads %d",
                       path, h->version, VERSION);
    if (hash_xxh3(h, offsetof(struct header, header_xxh3)) != h->header_xxh3)
        return damaged(e, path, "checksum of the header");
    if (!h->spec_len || h->spec_len > SPEC_MAX || !h->n ||
        h->n > SIZE_MAX / 64 || h->step < 0 || h->above < 0)
        return damaged(e, path, "impossible sizes");
    if (len != sizeof *h + padded(h->spec_len) +
                   CHECKPOINT_BLOCKS * h->n * sizeof(float))
        return damaged(e, path, "not as long as its header says");
    return 0;
}

static int read_spec(struct run_spec *spec, const char *bytes,
                     const struct header *h, const char *path, struct err *e)
{
    struct str text;
    int rc;

    if (hash_xxh3(bytes, padded(h->spec_len)) != h->spec_xxh3)
        return damaged(e, path, "checksum of the run's text");
    str_init(&text);
    str_add_n(&text, bytes, h->spec_len);
    memset(spec, 0, sizeof *spec);
    rc = spec_parse(spec, text.text, e) || spec_check(spec, e);
    str_release(&text);
    if (rc)
        return err_prefix(e, "%s: ", path);
    return h->step > spec->steps ? damaged(e, path, "step behind the end") : 0;
}

int checkpoint_open(struct checkpoint *c, const char *path, struct err *e)
{
    struct header h;
    const uint8_t *p;

    memset(c, 0, sizeof *c);
    if (file_map(&c->map, path, e))
        return -1;
    if (c->map.len < sizeof h) {
        damaged(e, path, "too short");
        goto fail;
    }
    memcpy(&h, c->map.data, sizeof h);
    if (check_header(&h, c->map.len, path, e))
        goto fail;
    p = c->map.data + sizeof h;
    if (read_spec(&c->spec, (const char *)p, &h, path, e))
        goto fail;
    p += padded(h.spec_len);
    c->n = h.n;
    c->state = (struct checkpoint_state){h.step, h.above, h.evaluated};
    for (int b = 0; b < CHECKPOINT_BLOCKS; b++) {
        if (hash_xxh3(p, h.n * sizeof(float)) != h.block_xxh3[b]) {
            err_set(e, ERR_USAGE, "%s: damaged checkpoint: checksum of the %s",
                    path, block_name[b]);
            goto fail;
        }
        /* 64-byte aligned within the page-aligned mapping */
        c->block[b] = (const float *)(const void *)p;
        p += h.n * sizeof(float);
    }
    return 0;
fail:
    checkpoint_close(c);
    return -1;
}

void checkpoint_close(struct checkpoint *c)
{
    if (c->map.data)
        file_unmap(&c->map);
    memset(c, 0, sizeof *c);
}
