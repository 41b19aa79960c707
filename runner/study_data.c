/* study_data: what a plan must know of the data; see study_run.h. */
#include "runner/study_run.h"

#include "trainer/shard.h"
#include "trainer/train.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int check_vocab(const struct shard_set *set, const char *path,
                       const struct study *study, struct err *e)
{
    int64_t vocab = shard_info(set)->vocab;

    if (vocab > study->base.model.vocab)
        return err_set(e, ERR_USAGE,
                       "%s: its tokens need a vocabulary of %" PRId64
                       ", model.vocab is %" PRId64,
                       path, vocab, study->base.model.vocab);
    return 0;
}

int study_data_read(struct study_data *d, const struct study *study,
                    struct err *e)
{
    struct shard_set *train = NULL, *valid[TRAIN_SETS] = {NULL};
    int rc = -1, n = study->n_valid;

    memset(d, 0, sizeof *d);
    if (n > TRAIN_SETS)
        return err_set(e, ERR_USAGE, "%s: at most %d validation sets",
                       study->file, TRAIN_SETS);
    if (shard_open(&train, study->train, e) ||
        check_vocab(train, study->train, study, e))
        goto out;
    for (int i = 0; i < n; i++) {
        if (shard_open(&valid[i], study->valid[i].path, e) ||
            check_vocab(valid[i], study->valid[i].path, study, e))
            goto out;
        d->valid_tokens += (double)shard_info(valid[i])->tokens;
    }
    d->train_tokens = (double)shard_info(train)->tokens;
    rc = shard_data_id(d->data, train, valid, n);
    if (rc)
        err_set(e, ERR_USAGE, "%s: data without identity", study->train);
out:
    for (int i = 0; i < n; i++)
        shard_close(valid[i]);
    shard_close(train);
    return rc;
}
