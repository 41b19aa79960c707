/* shard_manifest: manifest.json of a packed set, both ways.
 *
 *   { "format": "loglog-packed", "version": 1, "tokenizer": "bytes",
 *     "vocab": 256, "documents": D, "tokens": N, "bytes": B, "distinct": K,
 *     "sha256": "...",
 *     "shards": [ { "file": "shard-00000.tok", "size": bytes of the file,
 *                   "documents": d, "tokens": n, "bytes": b,
 *                   "sha256": "..." }, ... ],
 *     "source": { how it was made: free form, for people } }
 *
 * "sha256" is that of the text of `sha256sum shard-*.tok`. */
#ifndef LOGLOG_TRAINER_SHARD_MANIFEST_H
#define LOGLOG_TRAINER_SHARD_MANIFEST_H

#include "base/err.h"
#include "base/str.h"
#include "trainer/shard.h"

#define SHARD_TOKENIZER "bytes"
#define SHARD_NAME 64

struct manifest_shard {
    char file[SHARD_NAME]; /* inside the set's directory; no '/' */
    int64_t size, documents, tokens, bytes;
    char sha256[65];
};

struct manifest {
    char tokenizer[32];
    struct shard_info info;
    struct manifest_shard *shard; /* info.shards of them */
    char *source;                 /* the JSON text of "source"; may be NULL */
};

/* Read and check DIR/manifest.json: every field there, in range, the shards
 * adding up to the whole, the hashes to "sha256". */
int manifest_read(struct manifest *m, const char *dir, struct err *e);
void manifest_release(struct manifest *m);

/* The JSON text, ending in a newline, keys in the order above. */
void manifest_print(struct str *out, const struct manifest *m);

/* Fill m->info.sha256 from the shards. */
void manifest_hash(struct manifest *m);

#endif
