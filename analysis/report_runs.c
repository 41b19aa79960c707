/* report_runs: every run, and every exclusion with its reason. */
#include "analysis/report_impl.h"

void report_runs(struct page *p, const struct report_data *r)
{
    const struct report_table *out = &r->table[REPORT_EXCLUDED];
    const struct report_table *all = &r->table[REPORT_RUNS];

    if (!all->title)
        return;
    page_section(p, "Runs");
    if (out->rows) {
        report_table(p, out);
    } else {
        page_heading(p, out->title);
        page_para(p, "None of %zu runs.", all->rows);
    }
    page_fold_begin(p, all->title);
    report_rows(p, all);
    page_fold_end(p);
}
