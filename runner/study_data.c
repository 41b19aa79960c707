/* study_data: what a plan must know of the data; see study_run.h. */
#include "runner/study_run.h"

#include "base/log.h"
#include "trainer/batches.h"
#include "trainer/shard.h"
#include "trainer/train.h"

#include <stdio.h>
#include <string.h>

/* Reading every byte of so much takes a while; say so. */
#define SAY_TOKENS 4e9
/* Copies of documents are worth a word from this share. */
#define SAY_REPEATED 0.001

int study_data_read(struct study_data *d, const struct study *study,
                    struct err *e)
{
    struct shard_set *train = NULL, *valid[TRAIN_SETS] = {NULL};
    int rc = -1, n = study->n_valid;
    double repeated;

    memset(d, 0, sizeof *d);
    if (n > TRAIN_SETS)
        return err_set(e, ERR_USAGE, "%s: at most %d validation sets",
                       study->file, TRAIN_SETS);
    if (shard_open(&train, study->train, e) ||
        batches_check(train, &study->base, e))
        goto out;
    for (int i = 0; i < n; i++) {
        if (shard_open(&valid[i], study->valid[i].path, e) ||
            batches_check(valid[i], &study->base, e))
            goto out;
        d->valid_tokens += (double)shard_info(valid[i])->tokens;
    }
    d->train_tokens = (double)shard_info(train)->tokens;
    if (d->train_tokens > SAY_TOKENS)
        log_info("%s: checking every byte", study->train);
    if (shard_check_data(train, valid, n, e))
        goto out;
    repeated = (double)shard_repeated(train);
    if (repeated > SAY_REPEATED * d->train_tokens)
        log_info("%s: %.1f %% of its tokens are copies of documents before "
                 "them; they are not counted as distinct",
                 study->train, 100 * repeated / d->train_tokens);
    d->train_tokens -= repeated;
    rc = shard_data_id(d->data, train, valid, n);
    if (rc)
        err_set(e, ERR_USAGE, "%s: data without identity", study->train);
out:
    for (int i = 0; i < n; i++)
        shard_close(valid[i]);
    shard_close(train);
    return rc;
}
