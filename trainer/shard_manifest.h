/* shard_manifest: manifest.json of a set, both ways.
 *
 *   { "format": "loglog-packed", "version": 1, "tokenizer": "bytes",
 *     "vocab": 256, "documents": D, "tokens": N, "bytes": B, "distinct": K,
 *     "sha256": "...",
 *     "shards": [ { "file": "shard-00000.tok", "size": bytes of the file,
 *                   "documents": d, "tokens": n, "bytes": b,
 *                   "sha256": "..." }, ... ],
 *     "source": { how it was made: free form, for people } }
 *
 * "sha256" is that of the text of `sha256sum shard-*.tok`.
 *
 * A set under another tokenizer has its name, and further "token_bytes": true
 * and "mark", the token that ends documents; beside the manifest lie
 * token_bytes.bin, the bytes that each token counts (u16, vocab of them), and
 * token_text.bin, the texts of the tokens one behind the other: as long as
 * they count, the mark's is empty.
 *
 * "format": "loglog-linked" is a set whose files lie elsewhere and are another
 * program's: "file" is their absolute path, "layout" names the reader, and
 * with "token_bytes": true there is a token_bytes.bin.  "bytes" 0: unknown. */
#ifndef LOGLOG_TRAINER_SHARD_MANIFEST_H
#define LOGLOG_TRAINER_SHARD_MANIFEST_H

#include "base/err.h"
#include "base/str.h"
#include "trainer/shard.h"

#define SHARD_TOKENIZER "bytes"
#define SHARD_TOKEN_BYTES "token_bytes.bin"
#define SHARD_TOKEN_TEXT "token_text.bin"

struct manifest_shard {
    char *file; /* a plain name inside the set, or (linked) a path */
    int64_t size, documents, tokens, bytes;
    char sha256[65];
};

struct manifest {
    char tokenizer[32];
    char layout[16]; /* of a linked set: a token_reader; "": packed */
    int token_bytes; /* there is a token_bytes.bin */
    int64_t mark;    /* of a packed set */
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
