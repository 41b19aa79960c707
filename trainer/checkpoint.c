/* checkpoint: see checkpoint.h.
 *
 * The format, little-endian:
 *
 *   struct checkpoint_header      (checkpoint_impl.h)
 *   the run's canonical text      spec_len bytes, zeros up to a multiple of 64
 *   parameters, m, v              n floats each
 *
 * and nothing behind it.  An index has, instead of the blocks, a checksum a
 * share. */
#include "trainer/checkpoint_impl.h"

#include "base/fault.h"
#include "base/hash.h"
#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* --- writing --- */

struct content {
    struct checkpoint_header header;
    const char *spec; /* padded(header.spec_len) bytes */
    const float *const *block;
    const uint64_t *seal;
};

int checkpoint_put_blocks(int fd, const float *const block[CHECKPOINT_BLOCKS],
                          size_t n, struct err *e)
{
    for (int b = 0; b < CHECKPOINT_BLOCKS; b++) {
        const char *p = (const char *)block[b];
        size_t len = n * sizeof(float), piece;

        if (b == BLOCK_M)
            fault_kill("checkpoint-kill");
        for (; len; p += piece, len -= piece) {
            piece = len < PIECE ? len : PIECE;
            if (file_write_all(fd, p, piece, e))
                return -1;
        }
    }
    return 0;
}

static int fill(int fd, void *ctx, struct err *e)
{
    const struct content *c = ctx;

    if (fault_at(c->seal ? "checkpoint-index" : "checkpoint-write")) {
        errno = ENOSPC;
        return err_errno(e, "write");
    }
    if (file_write_all(fd, &c->header, sizeof c->header, e) ||
        file_write_all(fd, c->spec, padded(c->header.spec_len), e))
        return -1;
    if (c->seal)
        return file_write_all(fd, c->seal, c->header.shares * sizeof *c->seal,
                              e);
    return checkpoint_put_blocks(fd, c->block, c->header.n, e);
}

/* What a file and an index have in common; the rest of c is filled. */
static int write_content(const char *path, struct content *c,
                         const struct run_spec *spec,
                         const struct checkpoint_state *state, size_t n,
                         struct err *e)
{
    struct checkpoint_header *h = &c->header;
    static const char zeros[64];
    struct str text;
    int rc;

    memcpy(h->magic, CHECKPOINT_MAGIC, sizeof h->magic);
    h->version = h->shares ? VERSION_SET : VERSION_FILE;
    h->step = state->step;
    h->above = state->above;
    h->evaluated = state->evaluated;
    h->tokens = state->step * spec->batch_tokens;
    h->n = n;
    str_init(&text);
    spec_print(&text, spec);
    h->spec_len = (uint32_t)text.len;
    str_add_n(&text, zeros, padded(text.len) - text.len);
    h->spec_xxh3 = hash_xxh3(text.text, text.len);
    c->spec = text.text;
    h->header_xxh3 =
        hash_xxh3(h, offsetof(struct checkpoint_header, header_xxh3));
    rc = file_write_with(path, fill, c, e);
    str_release(&text);
    return rc;
}

int checkpoint_write(const char *path, const struct run_spec *spec,
                     const struct checkpoint_state *state,
                     const float *const block[CHECKPOINT_BLOCKS], size_t n,
                     struct err *e)
{
    struct content c = {.block = block};

    for (int b = 0; b < CHECKPOINT_BLOCKS; b++)
        c.header.block_xxh3[b] = hash_xxh3(block[b], n * sizeof(float));
    return write_content(path, &c, spec, state, n, e);
}

int checkpoint_index_write(const char *path, const struct run_spec *spec,
                           const struct checkpoint_state *state, size_t n,
                           int gang, const uint64_t *seal, struct err *e)
{
    struct content c = {.seal = seal};

    c.header.shares = (uint64_t)gang;
    c.header.block_xxh3[0] = hash_xxh3(seal, (size_t)gang * sizeof *seal);
    return write_content(path, &c, spec, state, n, e);
}

/* --- reading --- */

int checkpoint_damaged(struct err *e, const char *path, const char *what)
{
    return err_set(e, ERR_USAGE, "%s: damaged checkpoint: %s", path, what);
}

/* Bytes behind the run's text. */
static size_t body(const struct checkpoint_header *h)
{
    return h->shares ? h->shares * sizeof(uint64_t)
                     : CHECKPOINT_BLOCKS * h->n * sizeof(float);
}

int checkpoint_check_header(const struct checkpoint_header *h, const char *path,
                            struct err *e)
{
    if (memcmp(h->magic, CHECKPOINT_MAGIC, sizeof h->magic))
        return err_set(e, ERR_USAGE, "%s: not a checkpoint", path);
    if (h->version != VERSION_FILE && h->version != VERSION_SET)
        return err_set(e, ERR_USAGE,
                       "%s: checkpoint of version %" PRIu32
                       ", this program reads %d and %d",
                       path, h->version, VERSION_FILE, VERSION_SET);
    if (hash_xxh3(h, offsetof(struct checkpoint_header, header_xxh3)) !=
        h->header_xxh3)
        return checkpoint_damaged(e, path, "checksum of the header");
    if (!h->spec_len || h->spec_len > SPEC_MAX || !h->n ||
        h->n > SIZE_MAX / 64 || h->step < 0 || h->above < 0 ||
        h->shares > COMM_MAX || (h->version == VERSION_SET) != !!h->shares)
        return checkpoint_damaged(e, path, "impossible sizes");
    return 0;
}

/* The sizes that the header states are those of the file. */
static int check_header(const struct checkpoint_header *h, size_t len,
                        const char *path, struct err *e)
{
    if (checkpoint_check_header(h, path, e))
        return -1;
    return len == sizeof *h + padded(h->spec_len) + body(h)
               ? 0
               : checkpoint_damaged(e, path, "not as long as its header says");
}

static int read_spec(struct run_spec *spec, const char *bytes,
                     const struct checkpoint_header *h, const char *path,
                     struct err *e)
{
    struct str text;
    int rc;

    if (hash_xxh3(bytes, padded(h->spec_len)) != h->spec_xxh3)
        return checkpoint_damaged(e, path, "checksum of the run's text");
    str_init(&text);
    str_add_n(&text, bytes, h->spec_len);
    memset(spec, 0, sizeof *spec);
    rc = spec_parse(spec, text.text, e) || spec_check(spec, e);
    str_release(&text);
    if (rc)
        return err_prefix(e, "%s: ", path);
    return h->step > spec->steps
               ? checkpoint_damaged(e, path, "step behind the end")
               : 0;
}

int checkpoint_map_blocks(struct checkpoint_extent *x, const uint8_t *p,
                          size_t n,
                          const uint64_t block_xxh3[CHECKPOINT_BLOCKS],
                          const char *path, struct err *e)
{
    static const char *const name[CHECKPOINT_BLOCKS] = {
        "parameters", "first moments", "second moments"};

    for (int b = 0; b < CHECKPOINT_BLOCKS; b++, p += n * sizeof(float)) {
        if (hash_xxh3(p, n * sizeof(float)) != block_xxh3[b])
            return err_set(e, ERR_USAGE,
                           "%s: damaged checkpoint: checksum of the %s", path,
                           name[b]);
        /* 64-byte aligned within the page-aligned mapping */
        x->block[b] = (const float *)(const void *)p;
    }
    return 0;
}

/* What is behind the run's text, at p. */
static int open_body(struct checkpoint *c, const struct checkpoint_header *h,
                     const uint8_t *p, const char *path, struct err *e)
{
    if (h->shares)
        return hash_xxh3(p, body(h)) == h->block_xxh3[0]
                   ? checkpoint_open_shares(c, path, (int)h->shares, p, e)
                   : checkpoint_damaged(e, path, "checksum of the shares");
    c->extent = xcalloc(1, sizeof *c->extent);
    c->n_extent = 1;
    c->extent->n = c->n;
    return checkpoint_map_blocks(c->extent, p, c->n, h->block_xxh3, path, e);
}

int checkpoint_open(struct checkpoint *c, const char *path, struct err *e)
{
    struct checkpoint_header h;
    const uint8_t *p;

    memset(c, 0, sizeof *c);
    if (file_map(&c->map, path, e))
        return -1;
    if (c->map.len < sizeof h) {
        checkpoint_damaged(e, path, "too short");
        goto fail;
    }
    memcpy(&h, c->map.data, sizeof h);
    if (check_header(&h, c->map.len, path, e))
        goto fail;
    p = c->map.data + sizeof h;
    if (read_spec(&c->spec, (const char *)p, &h, path, e))
        goto fail;
    c->n = h.n;
    c->state = (struct checkpoint_state){h.step, h.above, h.evaluated};
    if (open_body(c, &h, p + padded(h.spec_len), path, e))
        goto fail;
    return 0;
fail:
    checkpoint_close(c);
    return -1;
}

void checkpoint_close(struct checkpoint *c)
{
    for (int i = 0; i < c->n_share; i++)
        if (c->share[i].data)
            file_unmap(&c->share[i]);
    free(c->share);
    free(c->extent);
    if (c->map.data)
        file_unmap(&c->map);
    memset(c, 0, sizeof *c);
}

void checkpoint_copy(float *to, const struct checkpoint *c, int block,
                     size_t from, size_t n)
{
    BUG_ON(from > c->n || n > c->n - from);
    for (int i = 0; i < c->n_extent; i++) {
        const struct checkpoint_extent *x = &c->extent[i];
        size_t low = from > x->at ? from : x->at;
        size_t high = from + n < x->at + x->n ? from + n : x->at + x->n;

        if (low < high)
            memcpy(to + (low - from), x->block[block] + (low - x->at),
                   (high - low) * sizeof(float));
    }
}
