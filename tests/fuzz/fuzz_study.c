/* Any file: study_parse either refuses it with a message that names the file,
 * or gives a study that prints to a file which reads back to the same print,
 * and whose stages can be planned, or refused, and priced. */
#include "base/mem.h"
#include "sweep/cost.h"
#include "sweep/study.h"

#include <stdlib.h>
#include <string.h>

/* Designs beyond this are only counted, so that an input takes little time. */
#define FEW_RUNS 2000

static int few_runs(const struct study *s)
{
    double n = 0;

    for (int k = 0; k < s->n_stage; k++) {
        const struct stage *st = &s->stage[k];
        double cell =
            st->kind == STAGE_HYPER ? st->lr.n * st->batch.n : st->sizes;
        n += cell * st->flops.n * (st->n_seed + 1);
    }
    return n <= FEW_RUNS;
}

static void plan(const struct study *s)
{
    static const struct plan_context ctx = {.train_tokens = 1e6,
                                            .law = &hyper_law_deepseek};
    struct cost_model cost;
    struct plan p;
    struct err e;

    plan_init(&p);
    cost_default(&cost);
    for (int k = 0; k < s->n_stage; k++) {
        if (plan_stage(&p, s, k, &ctx, &e))
            continue;
        for (int b = 0; b < s->stage[k].flops.n; b++) {
            double flops = s->stage[k].flops.value[b];
            if (s->stage[k].kind == STAGE_HYPER)
                (void)plan_extend_hyper(&p, s, k, flops, 1, -1, &ctx, &e);
            else if (s->stage[k].kind == STAGE_ISOFLOP)
                (void)plan_extend_isoflop(&p, s, k, flops, 1, &ctx, &e);
        }
    }
    cost_plan(&p, &cost);
    for (size_t i = 0; i < p.n; i++) {
        BUG_ON(spec_check(&p.run[i].spec, &e));
        BUG_ON(!(p.run[i].seconds > 0));
    }
    plan_release(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct study s, back;
    struct str text, again;
    struct err e = {0, ""};

    str_init(&text);
    str_init(&again);
    if (study_parse(&s, "d/f.yaml", (const char *)data, size, &e)) {
        BUG_ON(strncmp(e.text, "d/f.yaml", 8) || e.cls != ERR_USAGE);
    } else {
        study_print(&text, &s);
        BUG_ON(study_parse(&back, "d/f.yaml", text.text, text.len, &e));
        study_print(&again, &back);
        BUG_ON(strcmp(text.text, again.text));
        if (few_runs(&s))
            plan(&s);
    }
    str_release(&text);
    str_release(&again);
    return 0;
}
