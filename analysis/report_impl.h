/* report_impl: the parts of the report, in the order in which they stand. */
#ifndef LOGLOG_ANALYSIS_REPORT_IMPL_H
#define LOGLOG_ANALYSIS_REPORT_IMPL_H

#include "analysis/gnuplot.h"
#include "analysis/report.h"

/* report_laws.c, report_allocation.c, report_hyper.c */
void report_predictions(struct page *p, const struct report_data *r);
void report_loss(struct page *p, const struct report_data *r);
void report_allocation(struct page *p, const struct report_data *r);
void report_hyper(struct page *p, const struct report_data *r);
/* report_collapse.c */
void report_collapse(struct page *p, const struct report_data *r);
/* report_method.c */
void report_method(struct page *p, const struct report_data *r);
/* report_runs.c */
void report_runs(struct page *p, const struct report_data *r);

/* "1.23e12", "0.0031", "" when not finite; digits are significant. */
#define REPORT_NUM 32
const char *report_num(char buf[REPORT_NUM], double v, int digits);
/* A figure under a name for its file; *svg is emptied. */
void report_figure(struct page *p, const char *name, struct str *svg,
                   const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* What gnuplot draws that figure with; *g is emptied. */
void report_gnuplot(struct page *p, struct gnuplot *g);
/* The table of rows that was read, under its title as a heading ... */
void report_table(struct page *p, const struct report_table *t);
/* ... and without it. */
void report_rows(struct page *p, const struct report_table *t);
/* A paragraph for each line. */
void report_lines(struct page *p, const char *text);
/* Relative deviation in percent with its sign: "+0.42 %". */
const char *report_percent(char buf[REPORT_NUM], double v);

#endif
