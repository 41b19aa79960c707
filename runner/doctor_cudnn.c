/* doctor_cudnn: see doctor_cudnn.h. */
#include "runner/doctor_cudnn.h"

#include "base/mem.h"

#include <stdio.h>

#define TIMES 20 /* of each for the clock */

/* Most that the two may be apart, in parts of the largest value: bf16 keeps
 * 1 / 256, and the gradient is of rounded weights. */
#define NEAR_O 0.02
#define NEAR_LSE 1e-3
#define NEAR_GRADIENT 0.03

struct shape {
    int batch, seq_len, n_head, n_kv_head, head_dim;
};

static void print(const struct engine_trial *t)
{
    printf("  %5d %7d %6d / %-3d %8d %10.3f %7.3f %10.3f %7.3f   %.1e %.1e "
           "%.1e\n",
           t->batch, t->seq_len, t->n_head, t->n_kv_head, t->head_dim,
           t->flash_ms[0], t->flash_ms[1], t->cudnn_ms[0], t->cudnn_ms[1], t->o,
           t->lse, t->gradient);
}

int doctor_cudnn(const struct engine_api *api, int emulated, struct err *e)
{
    static const struct shape device[] = {{4, 1024, 16, 16, 64},
                                          {4, 2048, 16, 16, 128},
                                          {4, 2048, 32, 8, 128},
                                          {2, 1001, 8, 2, 64}},
                              emulator[] = {{2, 41, 4, 2, 32}};
    const struct shape *shape = emulated ? emulator : device;
    size_t n = emulated ? ARRAY_LEN(emulator) : ARRAY_LEN(device);

    for (size_t i = 0; i < n; i++) {
        struct engine_trial t = {.batch = shape[i].batch,
                                 .seq_len = shape[i].seq_len,
                                 .n_head = shape[i].n_head,
                                 .n_kv_head = shape[i].n_kv_head,
                                 .head_dim = shape[i].head_dim,
                                 .times = emulated ? 1 : TIMES};
        int rc = api->try_cudnn(&t, e);

        if (rc)
            return rc;
        if (i == 0)
            printf("  batch seq_len  heads / kv  head_dim   flash ms    back"
                   "   cuDNN ms    back   o, lse, gradient apart by\n");
        print(&t);
        if (!(t.o < NEAR_O && t.lse < NEAR_LSE && t.gradient < NEAR_GRADIENT))
            return err_set(e, ERR_FAILED, "it is not what flash gives");
        if (!t.repeats)
            return err_set(e, ERR_FAILED,
                           "its gradient does not repeat to the bit");
    }
    return 0;
}
