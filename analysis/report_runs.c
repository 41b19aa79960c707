/* report_runs: every run, and every exclusion with its reason. */
#include "analysis/report_impl.h"

#include <math.h>
#include <stdio.h>

#define NUM(buf, v) report_num(buf, v, 4)

static void exclusions(struct page *p, const struct points *set)
{
    for (size_t i = 0; set && i < set->n; i++) {
        char id[REPORT_NUM], b[5][REPORT_NUM];
        const char *row[] = {id,
                             set->stage[i],
                             NUM(b[0], set->col[POINT_BUDGET][i]),
                             NUM(b[1], set->col[POINT_M][i]),
                             NUM(b[2], set->col[POINT_LR][i]),
                             NUM(b[3], set->col[POINT_BATCH][i]),
                             NUM(b[4], set->col[POINT_SEED][i]),
                             set->why[i]};
        if (set->used[i])
            continue;
        snprintf(id, sizeof id, "%lld", (long long)set->run[i]);
        page_row(p, row);
    }
}

static size_t count_excluded(const struct points *set)
{
    return set ? set->n - points_used(set) : 0;
}

static void run_rows(struct page *p, const struct points *set)
{
    for (size_t i = 0; set && i < set->n; i++) {
        char id[REPORT_NUM], b[13][REPORT_NUM];
        const char *row[] = {id,
                             set->stage[i],
                             NUM(b[0], set->col[POINT_BUDGET][i]),
                             NUM(b[1], set->col[POINT_N_LAYER][i]),
                             NUM(b[2], set->col[POINT_D_MODEL][i]),
                             NUM(b[3], set->col[POINT_M][i]),
                             NUM(b[4], set->col[POINT_N][i]),
                             NUM(b[5], set->col[POINT_D][i]),
                             NUM(b[6], set->col[POINT_FLOPS][i]),
                             NUM(b[7], set->col[POINT_LR][i]),
                             NUM(b[8], set->col[POINT_BATCH][i]),
                             NUM(b[9], set->col[POINT_STEPS][i]),
                             NUM(b[10], set->col[POINT_SEED][i]),
                             report_num(b[11], set->col[POINT_LOSS][i], 5),
                             report_num(b[12], set->col[POINT_BPB][i], 5),
                             set->used[i] ? "" : set->why[i]};
        snprintf(id, sizeof id, "%lld", (long long)set->run[i]);
        page_row(p, row);
    }
}

void report_runs(struct page *p, const struct report_data *r)
{
    static const char *const excluded_head[] = {
        "run", "stage", "budget", "M", "lr", "batch", "seed", "why", NULL};
    static const char *const head[] = {
        "run",  "stage", "budget", "layers",   "width", "M",
        "N",    "D",     "flops",  "lr",       "batch", "steps",
        "seed", "loss",  "bpb",    "excluded", NULL};
    const struct points *set[] = {r->hyper, r->isoflop, r->verify};
    size_t out = 0, all = 0;

    for (int i = 0; i < 3; i++) {
        out += count_excluded(set[i]);
        all += set[i] ? set[i]->n : 0;
    }
    page_section(p, "Runs");
    page_heading(p, "Excluded from every fit");
    if (!out)
        page_para(p, "None of %zu runs.", all);
    if (out) {
        page_table_begin(p, NULL, excluded_head);
        for (int i = 0; i < 3; i++)
            exclusions(p, set[i]);
        page_table_end(p);
    }
    page_fold_begin(p, "Every run");
    page_table_begin(p, NULL, head);
    for (int i = 0; i < 3; i++)
        run_rows(p, set[i]);
    page_table_end(p);
    page_fold_end(p);
}
