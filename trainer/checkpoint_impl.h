/* checkpoint_impl: private to the files checkpoint*.c. */
#ifndef LOGLOG_TRAINER_CHECKPOINT_IMPL_H
#define LOGLOG_TRAINER_CHECKPOINT_IMPL_H

#include "trainer/checkpoint.h"

#include "trainer/comm.h"

#define CHECKPOINT_MAGIC "LOGLOGCK"
#define VERSION_FILE 1 /* other byte order: another version */
#define VERSION_SET 2
#define SPEC_MAX ((uint64_t)1 << 16) /* bytes of a canonical text */
#define PIECE ((size_t)8 << 20)      /* bytes written at a time */

struct checkpoint_header {
    char magic[8];
    uint32_t version;
    uint32_t spec_len;
    int64_t step, above, evaluated;
    int64_t tokens; /* step * batch_tokens; for people */
    uint64_t n;
    uint64_t spec_xxh3;                     /* of the text with its zeros */
    uint64_t block_xxh3[CHECKPOINT_BLOCKS]; /* of an index: of its checksums,
                                               and zeros */
    uint64_t shares;                        /* 0: a file with the blocks */
    uint64_t zero[3];
    uint64_t header_xxh3; /* of what is above */
};
_Static_assert(sizeof(struct checkpoint_header) == 128,
               "the header has no padding");

static inline size_t padded(size_t n)
{
    return (n + 63) / 64 * 64;
}

/* Magic, version, checksum and ranges. */
int checkpoint_check_header(const struct checkpoint_header *h, const char *path,
                            struct err *e);
/* -1 with "PATH: damaged checkpoint: what". */
int checkpoint_damaged(struct err *e, const char *path, const char *what);

/* Write the blocks, n floats each (fault point: checkpoint-kill). */
int checkpoint_put_blocks(int fd, const float *const block[CHECKPOINT_BLOCKS],
                          size_t n, struct err *e);
/* x->block into what was mapped: blocks of n floats at p with these
 * checksums. */
int checkpoint_map_blocks(struct checkpoint_extent *x, const uint8_t *p,
                          size_t n,
                          const uint64_t block_xxh3[CHECKPOINT_BLOCKS],
                          const char *path, struct err *e);

/* checkpoint_set.c: c->share and c->extent of the set whose index has these
 * checksums (`seals`: gang of 8 bytes). */
int checkpoint_open_shares(struct checkpoint *c, const char *path, int gang,
                           const uint8_t *seals, struct err *e);
int checkpoint_share_path(char share[PATH_MAX], const char *path, int member,
                          int gang, struct err *e);

#endif
