/* tokenizer_spm: SentencePiece as C; the library itself is C++.
 *
 * No exception leaves these functions; those that fail return -1 with one
 * line in why[SPM_WHY]. */
#ifndef LOGLOG_TRAINER_TOKENIZER_SPM_H
#define LOGLOG_TRAINER_TOKENIZER_SPM_H

#include <stddef.h>
#include <stdint.h>

#define SPM_WHY 300

#ifdef __cplusplus
extern "C" {
#endif

struct spm;

int spm_load(struct spm **s, const char *path, char why[SPM_WHY]);
void spm_free(struct spm *s);
int spm_vocab(const struct spm *s);
int spm_eos(const struct spm *s); /* -1: none */

enum spm_kind { SPM_PIECE, SPM_BYTE, SPM_CONTROL, SPM_UNKNOWN };
/* A piece as it is written in the model (spaces are U+2581); borrowed. */
const char *spm_piece(const struct spm *s, int id, size_t *n,
                      enum spm_kind *kind);

/* Call token for each id.  Threads may share *s. */
int spm_encode(const struct spm *s, const char *text, size_t n,
               void (*token)(void *ctx, int id), void *ctx, char why[SPM_WHY]);
/* The decoder of the library; *text is the caller's to free. */
int spm_decode(const struct spm *s, const int *id, size_t n, char **text,
               size_t *len, char why[SPM_WHY]);
/* `args` as spm_train takes them. */
int spm_train(const char *args, char why[SPM_WHY]);

#ifdef __cplusplus
}
#endif

#endif
