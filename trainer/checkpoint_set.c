/* checkpoint_set: the shares of a checkpoint that a gang of devices writes; see
 * checkpoint.h.
 *
 * A share, little-endian:
 *
 *   struct share_header           (below)
 *   its pieces                    n_piece pairs, zeros up to a multiple of 64
 *   parameters, m, v              n floats each, piece behind piece
 *
 * The checksum of the header covers those of the rest, and is what the index
 * has of the share: a share of another attempt is not taken for this one's. */
#include "trainer/checkpoint_impl.h"

#include "base/fault.h"
#include "base/hash.h"
#include "base/mem.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHARE_MAGIC "LOGLOGSH"
#define SHARE_VERSION 1

struct share_header {
    char magic[8];
    uint32_t version, n_piece;
    uint32_t member, gang;
    int64_t step;
    uint64_t run; /* its id */
    uint64_t n;
    uint64_t piece_xxh3; /* with the zeros */
    uint64_t block_xxh3[CHECKPOINT_BLOCKS];
    uint64_t zero[5];
    uint64_t header_xxh3; /* of what is above */
};
_Static_assert(sizeof(struct share_header) == 128, "no padding");

int checkpoint_share_path(char share[PATH_MAX], const char *path, int member,
                          int gang, struct err *e)
{
    if (snprintf(share, PATH_MAX, "%s.%dof%d", path, member, gang) >
        PATH_MAX - 32)
        return err_set(e, ERR_USAGE, "%.100s...: path too long", path);
    return 0;
}

/* --- writing --- */

struct content {
    struct share_header header;
    const struct checkpoint_piece *piece; /* with zeros behind them */
    size_t piece_bytes;
    const float *const *block;
};

static int fill(int fd, void *ctx, struct err *e)
{
    const struct content *c = ctx;
    struct fault_here here = {-1, c->header.step, -1, c->header.member};

    if (fault_at_here("checkpoint-write", &here)) {
        errno = ENOSPC;
        return err_errno(e, "write");
    }
    if (file_write_all(fd, &c->header, sizeof c->header, e) ||
        file_write_all(fd, c->piece, c->piece_bytes, e))
        return -1;
    if (fault_at_here("share-kill", &here))
        raise(SIGKILL);
    return checkpoint_put_blocks(fd, c->block, c->header.n, e);
}

int checkpoint_share_write(uint64_t *seal, const char *path,
                           const struct checkpoint_share *share,
                           const struct run_spec *spec,
                           const struct checkpoint_state *state,
                           const float *const block[CHECKPOINT_BLOCKS],
                           struct err *e)
{
    size_t bytes = (size_t)share->n_piece * sizeof *share->piece;
    struct checkpoint_piece *piece = xcalloc(1, padded(bytes) + 1);
    struct content c = {
        .header = {.magic = SHARE_MAGIC,
                   .version = SHARE_VERSION,
                   .n_piece = (uint32_t)share->n_piece,
                   .member = (uint32_t)share->member,
                   .gang = (uint32_t)share->gang,
                   .step = state->step,
                   .run = (uint64_t)spec_id(spec),
                   .n = share->n},
        .piece = piece,
        .piece_bytes = padded(bytes),
        .block = block,
    };
    char own[PATH_MAX];
    int rc;

    if (bytes)
        memcpy(piece, share->piece, bytes);
    c.header.piece_xxh3 = hash_xxh3(piece, c.piece_bytes);
    for (int b = 0; b < CHECKPOINT_BLOCKS; b++)
        c.header.block_xxh3[b] = hash_xxh3(block[b], share->n * sizeof(float));
    c.header.header_xxh3 =
        hash_xxh3(&c.header, offsetof(struct share_header, header_xxh3));
    *seal = c.header.header_xxh3;
    rc = checkpoint_share_path(own, path, share->member, share->gang, e) ||
         file_write_with(own, fill, &c, e);
    free(piece);
    return rc ? -1 : 0;
}

/* --- reading --- */

/* Is this the very header that the index means, and do its sizes fit the
 * file? */
static int check_header(const struct share_header *h, size_t len, uint64_t seal,
                        const char *path, struct err *e)
{
    uint64_t sum = hash_xxh3(h, offsetof(struct share_header, header_xxh3));

    if (memcmp(h->magic, SHARE_MAGIC, sizeof h->magic) ||
        h->version != SHARE_VERSION)
        return checkpoint_damaged(e, path, "not a share of this version");
    if (sum != h->header_xxh3 || sum != seal)
        return checkpoint_damaged(e, path, "not the share of its index");
    if (h->n_piece > len / sizeof(struct checkpoint_piece) || h->n > len ||
        len != sizeof *h +
                   padded(h->n_piece * sizeof(struct checkpoint_piece)) +
                   CHECKPOINT_BLOCKS * h->n * sizeof(float))
        return checkpoint_damaged(e, path, "not as long as its header says");
    return 0;
}

/* Its pieces become extents behind those of c. */
static int add_extents(struct checkpoint *c, const uint8_t *pieces,
                       uint32_t n_piece, const struct checkpoint_extent *all,
                       uint64_t n, const char *path, struct err *e)
{
    uint64_t done = 0;

    c->extent = xrealloc(c->extent, ((size_t)c->n_extent + n_piece + 1) *
                                        sizeof *c->extent);
    for (uint32_t i = 0; i < n_piece; i++) {
        struct checkpoint_extent *x = &c->extent[c->n_extent++];
        struct checkpoint_piece p;

        memcpy(&p, pieces + i * sizeof p, sizeof p);
        if (!p.n || p.n > n - done || p.at > c->n || p.n > c->n - p.at)
            return checkpoint_damaged(e, path, "impossible pieces");
        x->at = p.at;
        x->n = p.n;
        for (int b = 0; b < CHECKPOINT_BLOCKS; b++)
            x->block[b] = all->block[b] + done;
        done += p.n;
    }
    return done == n ? 0 : checkpoint_damaged(e, path, "impossible pieces");
}

static int open_share(struct checkpoint *c, struct file_map *map,
                      const char *path, uint64_t seal, struct err *e)
{
    struct checkpoint_extent all;
    struct share_header h;
    const uint8_t *p;
    size_t bytes;

    if (!file_exists(path))
        return checkpoint_damaged(e, path, "missing");
    if (file_map(map, path, e))
        return -1;
    if (map->len < sizeof h)
        return checkpoint_damaged(e, path, "too short");
    memcpy(&h, map->data, sizeof h);
    if (check_header(&h, map->len, seal, path, e))
        return -1;
    p = map->data + sizeof h;
    bytes = padded(h.n_piece * sizeof(struct checkpoint_piece));
    if (hash_xxh3(p, bytes) != h.piece_xxh3)
        return checkpoint_damaged(e, path, "checksum of the pieces");
    if (checkpoint_map_blocks(&all, p + bytes, h.n, h.block_xxh3, path, e))
        return -1;
    return add_extents(c, p, h.n_piece, &all, h.n, path, e);
}

static int by_place(const void *a, const void *b)
{
    const struct checkpoint_extent *x = a, *y = b;

    return x->at < y->at ? -1 : x->at > y->at;
}

int checkpoint_open_shares(struct checkpoint *c, const char *path, int gang,
                           const uint8_t *seals, struct err *e)
{
    char share[PATH_MAX];
    uint64_t at = 0, seal;

    c->share = xcalloc((size_t)gang, sizeof *c->share);
    c->n_share = gang;
    for (int m = 0; m < gang; m++) {
        memcpy(&seal, seals + (size_t)m * sizeof seal, sizeof seal);
        if (checkpoint_share_path(share, path, m, gang, e) ||
            open_share(c, &c->share[m], share, seal, e))
            return -1;
    }
    if (c->n_extent)
        qsort(c->extent, (size_t)c->n_extent, sizeof *c->extent, by_place);
    for (int i = 0; i < c->n_extent && c->extent[i].at == at; i++)
        at += c->extent[i].n;
    return at == c->n ? 0 : checkpoint_damaged(e, path, "a part is missing");
}
