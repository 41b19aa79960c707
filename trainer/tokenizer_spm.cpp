/* tokenizer_spm: see tokenizer_spm.h. */
#include "trainer/tokenizer_spm.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <vector>

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

struct spm {
    sentencepiece::SentencePieceProcessor p;
};

static int say(char why[SPM_WHY], const sentencepiece::util::Status &status)
{
    if (status.ok())
        return 0;
    std::snprintf(why, SPM_WHY, "%s", status.error_message());
    return -1;
}

int spm_load(struct spm **s, const char *path, char why[SPM_WHY])
try {
    *s = new spm;
    if (!say(why, (*s)->p.Load(path)))
        return 0;
    delete *s;
    *s = nullptr;
    return -1;
} catch (const std::exception &x) {
    std::snprintf(why, SPM_WHY, "%s", x.what());
    return -1;
}

void spm_free(struct spm *s)
{
    delete s;
}

int spm_vocab(const struct spm *s)
{
    return s->p.GetPieceSize();
}

int spm_eos(const struct spm *s)
{
    return s->p.eos_id();
}

const char *spm_piece(const struct spm *s, int id, size_t *n,
                      enum spm_kind *kind)
{
    const std::string &piece = s->p.IdToPiece(id);

    *kind = s->p.IsByte(id)      ? SPM_BYTE
            : s->p.IsUnknown(id) ? SPM_UNKNOWN
            : s->p.IsControl(id) ? SPM_CONTROL
                                 : SPM_PIECE;
    *n = piece.size();
    return piece.c_str();
}

int spm_encode(const struct spm *s, const char *text, size_t n,
               void (*token)(void *ctx, int id), void *ctx, char why[SPM_WHY])
try {
    std::vector<int> ids;

    if (say(why, s->p.Encode(absl::string_view(text, n), &ids)))
        return -1;
    for (int id : ids)
        token(ctx, id);
    return 0;
} catch (const std::exception &x) {
    std::snprintf(why, SPM_WHY, "%s", x.what());
    return -1;
}

int spm_decode(const struct spm *s, const int *id, size_t n, char **text,
               size_t *len, char why[SPM_WHY])
try {
    std::vector<int> ids(id, id + n);
    std::string out;

    if (say(why, s->p.Decode(ids, &out)))
        return -1;
    *len = out.size();
    *text = static_cast<char *>(std::malloc(out.size() + 1));
    if (!*text)
        throw std::bad_alloc();
    std::memcpy(*text, out.c_str(), out.size() + 1);
    return 0;
} catch (const std::exception &x) {
    std::snprintf(why, SPM_WHY, "%s", x.what());
    return -1;
}

int spm_train(const char *args, char why[SPM_WHY])
try {
    return say(why, sentencepiece::SentencePieceTrainer::Train(args));
} catch (const std::exception &x) {
    std::snprintf(why, SPM_WHY, "%s", x.what());
    return -1;
}
