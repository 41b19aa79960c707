/* price: see price.h. */
#include "sweep/price.h"

#include "base/mem.h"
#include "base/str.h"
#include "sweep/flops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Makers' data sheets, dense bf16 (V100: fp16) and board power: NVIDIA H100
 * (SXM5; PCIe), H200, H800, A100 80GB SXM, V100 SXM2, L40S, DGX B200, Ada GPU
 * architecture whitepaper (4090, fp32 accumulate); AMD MI300X.  A core: 350 W
 * of a socket with 32 cores and its memory. */
/* clang-format off */
const struct device devices[] = {
    {"core",      "core",      0,         12,   0},
    {"h100",      "h100",      989.4e12,  700,  80e9},
    {"h100-pcie", "h100-pcie", 756e12,    350,  80e9},
    {"h200",      "h200",      989.4e12,  700,  141e9},
    {"h800",      "h800",      989.4e12,  700,  80e9},
    {"a100",      "a100",      312e12,    400,  80e9},
    {"v100",      "v100",      125e12,    300,  32e9},
    {"b200",      "b200",      2250e12,   1000, 180e9},
    {"mi300x",    "mi300x",    1307.4e12, 750,  192e9},
    {"l40s",      "l40s",      362e12,    350,  48e9},
    {"rtx4090",   "rtx4090",   165.2e12,  450,  24e9},
    {NULL,        NULL,        0,         0,    0},
};
/* clang-format on */

const struct device *device_find(const char *name, struct err *e)
{
    const char *names[ARRAY_LEN(devices)], *near;
    size_t n = 0;

    for (; devices[n].name; n++) {
        if (!strcmp(devices[n].name, name))
            return &devices[n];
        names[n] = devices[n].name;
    }
    near = str_nearest(name, names, n);
    err_set(e, ERR_USAGE, "device '%.40s' is not known%s%s%s", name,
            near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return NULL;
}

void cost_device(struct cost_model *c, const struct device *d, double mfu)
{
    BUG_ON(!(d->peak > 0));
    *c = (struct cost_model){
        .n = 1, .d_model = {1}, .flops_per_s = {d->peak * mfu}};
}

void price_of(struct price *p, double seconds, double watts,
              double money_per_hour)
{
    p->hours = seconds / 3600;
    p->kwh = p->hours * watts / 1000;
    p->money = p->hours * money_per_hour;
}

/* --- disk --- */

#define KEPT 3        /* checkpoints of a run at once */
#define STEP_BYTES 90 /* of a step's row and its line in the journal */
#define RUN_BYTES 8e3 /* of a run's spec, attempts and evaluations */

static int larger_first(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x < y) - (x > y);
}

struct file {
    int64_t trunk, step;
    double bytes;
};

static int by_file(const void *pa, const void *pb)
{
    const struct file *a = pa, *b = pb;

    if (a->trunk != b->trunk)
        return a->trunk < b->trunk ? -1 : 1;
    return a->step < b->step ? -1 : a->step > b->step;
}

/* Branches that leave their trunk at one step need one file. */
static double trunk_bytes(const struct plan *p)
{
    struct file *f = xcalloc(p->n + 1, sizeof *f);
    double sum = 0;
    size_t n = 0;

    for (size_t i = 0; i < p->n; i++)
        if (p->run[i].trunk)
            f[n++] = (struct file){p->run[i].trunk, p->run[i].trunk_step,
                                   run_checkpoint_bytes(&p->run[i].spec)};
    qsort(f, n, sizeof *f, by_file);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || by_file(&f[i - 1], &f[i]))
            sum += f[i].bytes;
    free(f);
    return sum;
}

void disk_add(struct disk *d, const struct plan *p, int slots)
{
    double *bytes = xcalloc(p->n + 1, sizeof *bytes), most = 0;

    for (size_t i = 0; i < p->n; i++) {
        bytes[i] = run_checkpoint_bytes(&p->run[i].spec);
        d->database += RUN_BYTES + STEP_BYTES * (double)(p->run[i].spec.steps -
                                                         p->run[i].trunk_step);
    }
    qsort(bytes, p->n, sizeof *bytes, larger_first);
    for (size_t i = 0; i < p->n && i < (size_t)slots; i++)
        most += KEPT * bytes[i];
    d->checkpoints = fmax(d->checkpoints, most);
    d->trunks = fmax(d->trunks, trunk_bytes(p));
    free(bytes);
}
