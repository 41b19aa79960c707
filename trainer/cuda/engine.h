/* engine: a whole model on one device, behind a table of C functions.
 *
 * libloglog_cuda.so (nvcc, cuBLASLt, NCCL) and libloglog_cuemu.so (the same
 * sources against the emulator of tests/cuda) both export loglog_engine();
 * the program itself links nothing of NVIDIA's and loads one of them when a
 * run asks for a device (trainer/device.h).
 *
 * An engine holds the weights in bf16, their fp32 masters with AdamW's m and
 * v, the fp32 gradient and what the way back needs of one micro-batch.  In a
 * gang of several devices every one holds all weights and its share of the
 * masters (ZeRO, stage 1): gradients are reduce-scattered while the last
 * micro-batch is on its way back, weights are gathered after the step.
 *
 * Blocks of floats on the host have the layout of trainer/params.h.  Functions
 * return 0, or -1 with *e filled; after -1 from anything but create the engine
 * is only good for destroy.  "Collective" means that all members of the gang
 * call it, with the same arguments unless said otherwise. */
#ifndef LOGLOG_TRAINER_CUDA_ENGINE_H
#define LOGLOG_TRAINER_CUDA_ENGINE_H

#include "base/err.h"
#include "sweep/spec.h"

#include <stddef.h>
#include <stdint.h>

#define ENGINE_ABI 6
#define ENGINE_ID_BYTES 128 /* of a gang, made by member 0 */

struct engine;

/* One device, as doctor prints it. */
struct engine_device {
    char name[64];
    char uuid[40];    /* hex: two members on one device have the same */
    char pci[16];     /* "0000:17:00.0"; "" not known */
    int major, minor; /* compute capability; at least 8.0 is needed */
    uint64_t bytes;   /* of memory, free or not */
};

enum engine_attention {
    ENGINE_ATTENTION_AUTO,         /* flash where head_dim allows it */
    ENGINE_ATTENTION_MATERIALISED, /* scores in memory: the reference */
    ENGINE_ATTENTION_CUDNN         /* cuDNN's in the place of flash; see note */
};

/* Keep of each layer its input alone and compute the rest again on the way
 * back: the same bits, a third more work, much less memory. */
enum engine_recompute {
    ENGINE_RECOMPUTE_AUTO, /* where not one sequence fits otherwise */
    ENGINE_RECOMPUTE_NEVER,
    ENGINE_RECOMPUTE_ALWAYS
};

struct engine_options {
    int device;         /* index on this node */
    int attention;      /* enum engine_attention */
    int recompute;      /* enum engine_recompute */
    int no_graphs;      /* launch the kernels of a micro-batch one by one, not
                           as one graph */
    int64_t micro_rows; /* sequences at a time; 0: as many as fit, up to rows */
    int64_t rows;       /* sequences that a member gets in one grad call */
    int member, gang;
    double peer_seconds; /* how long to wait for others; 0: 60 */
};

/* The parameters, and AdamW's m and v. */
enum engine_block { ENGINE_PARAMS, ENGINE_M, ENGINE_V, ENGINE_BLOCKS };

/* Part of the blocks that this member's masters and moments cover. */
struct engine_piece {
    int64_t at, n;  /* floats of a block */
    int64_t local;  /* where they are in this member's */
    int everywhere; /* every member has it; else no other */
};

/* Attention of a shape by flash and by cuDNN. */
struct engine_trial {
    int batch, seq_len, n_head, n_kv_head, head_dim;
    int times; /* to repeat each for the clock */
    /* Largest differences of o, of lse and of the gradient of queries, keys
     * and values, in parts of flash's largest of each. */
    double o, lse, gradient;
    int repeats;                     /* cuDNN twice: the same bits */
    double flash_ms[2], cudnn_ms[2]; /* forward; backward */
    size_t workspace;                /* of cuDNN, bytes */
};

struct engine_api {
    uint32_t abi, bytes; /* ENGINE_ABI and sizeof(struct engine_api) */
    const char *name;    /* "cuda" or "cuemu" */
    const char *built;   /* with what: "CUDA 13.0, NCCL 2.28" */

    /* Devices of this node; -1 with the driver's reason if it has none.
     * Neither this nor describe makes a context. */
    int (*devices)(int *n, struct err *e);
    int (*describe)(struct engine_device *d, int device, struct err *e);
    /* The identity of a new gang; member 0 makes it, the others get it. */
    int (*gang_id)(unsigned char id[ENGINE_ID_BYTES], struct err *e);

    /* Bytes of device memory that micro-batches of so many rows need. */
    size_t (*bytes_needed)(const struct run_spec *spec,
                           const struct engine_options *o, int64_t micro_rows);
    /* Can this model be had on a device at all?  -1 with ERR_USAGE. */
    int (*check)(const struct run_spec *spec, const struct engine_options *o,
                 struct err *e);
    /* As check; returns 1 when it does not fit: *e names the bytes and what
     * would fit.  Weights and moments are zero until init or put.  Not
     * collective. */
    int (*create)(struct engine **out, const struct run_spec *spec,
                  const struct engine_options *o, struct err *e);
    /* Meet the gang; before anything else that is collective.  Nothing to do
     * for a gang of one.  Collective. */
    int (*join)(struct engine *g, const unsigned char id[ENGINE_ID_BYTES],
                struct err *e);
    /* Something else has failed: destroy is not to wait for the others. */
    void (*give_up)(struct engine *g);
    void (*destroy)(struct engine *g);
    /* Floats of a block, the rows of a micro-batch, and whether activations
     * are computed again. */
    size_t (*size)(const struct engine *g);
    int64_t (*micro_rows)(const struct engine *g);
    int (*recomputes)(const struct engine *g);
    /* In a line what was asked for and cannot be had, and what is done
     * instead; "" when it is as asked. */
    const char *(*note)(const struct engine *g);

    /* Pinned memory of the host, for what get() writes; NULL when there is
     * none. */
    float *(*host_alloc)(size_t floats);
    void (*host_free)(float *p);

    /* The weights of model_init (trainer/model.h); m and v are zero. */
    int (*init)(struct engine *g, int64_t seed, struct err *e);
    /* The pieces that this member has, borrowed; local counts from 0 without
     * gaps. */
    const struct engine_piece *(*pieces)(const struct engine *g, int *n);
    /* What this member is to write of the blocks: its pieces, those that are
     * everywhere of member 0 alone, one behind the other and block behind
     * block.  Not collective. */
    int (*save)(struct engine *g, float *host, struct err *e);
    /* All of this member's pieces, at `local`, block behind block; the weights
     * are then gathered.  Not between grad and step.  Collective. */
    int (*load)(struct engine *g, const float *host, struct err *e);
    /* A whole block, for tests; not between grad and step.  Members that do not
     * want it call with host = NULL.  Collective. */
    int (*get)(struct engine *g, int block, float *host, struct err *e);

    /* The gradient becomes zero. */
    int (*zero)(struct engine *g, struct err *e);
    /* gradient += scale d(sum of nats)/d(parameters) over rows sequences of
     * seq_len + 1 tokens; nats[r] is the loss of row r.  With `last` the
     * gradient is then summed over the gang.  Collective with last; tokens
     * are each member's own. */
    int (*grad)(struct engine *g, double *nats, const int32_t *tokens,
                int64_t rows, float scale, int last, struct err *e);
    /* The losses alone. */
    int (*eval)(struct engine *g, double *nats, const int32_t *tokens,
                int64_t rows, struct err *e);
    /* The norm of the summed gradient.  Collective. */
    int (*norm)(struct engine *g, double *norm, struct err *e);
    /* AdamW at step t (1-based) with this step's rate, the gradient times
     * grad_scale; as adamw_update (trainer/adamw.h).  Collective. */
    int (*step)(struct engine *g, double lr, double grad_scale, int64_t t,
                struct err *e);
    /* The tests of the kernels (tests/cuda), on the device: a line each on
     * stdout; nonzero when one failed.  NULL: not built in. */
    int (*selftest)(void);
    /* The summed gradient, for tests: a whole block of the host's; only in a
     * gang of one. */
    int (*get_grad)(struct engine *g, float *host, struct err *e);
    /* Fill what t does not name, on device 0.  1: cuDNN is not to be had here
     * or refuses the shape, and *e says why. */
    int (*try_cudnn)(struct engine_trial *t, struct err *e);
};

/* The table, or NULL when it is of another ABI than the caller's. */
typedef const struct engine_api *engine_entry(uint32_t abi);
#define ENGINE_ENTRY "loglog_engine"

#endif
