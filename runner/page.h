/* page: a study as text: the sections that the page of status and the screens
 * of top are put together from.  Pure: a status in, cells out.  All of them fit
 * 80 columns; wider grids show more of the curves and the reasons. */
#ifndef LOGLOG_RUNNER_PAGE_H
#define LOGLOG_RUNNER_PAGE_H

#include "base/str.h"
#include "db/listing.h"
#include "db/status.h"
#include "runner/grid.h"

/* The study, who writes it, how far it is and how fast it goes. */
void page_head(struct grid *g, const struct status *s, const char *path);
void page_stages(struct grid *g, const struct status *s);

/* Lists: a row of headings, then a row each.  The grid is wider than the
 * screen, so that a filter sees what the screen cuts off. */
struct list {
    int cols;         /* of the screen */
    struct grid grid; /* row 0: the headings */
    int64_t *run;     /* of row i + 1; 0: none */
    size_t n, cap;    /* rows below the headings */
};
void list_init(struct list *l, int cols, int ascii);
void list_release(struct list *l);

/* quiet[i]: seconds since running run i was last seen to make a step; NULL when
 * nobody has watched. */
void list_running(struct list *l, const struct status *s);
void list_lanes(struct list *l, const struct status *s, const double *quiet);
void list_best(struct list *l, const struct status *s);
/* Those for which the rows of `runs` stand, in the order of `runs`. */
void list_runs(struct list *l, const struct listing *runs);
void list_failures(struct list *l, const struct listing *runs);
void list_events(struct list *l, const struct status *s);

/* What is common to runs that ended badly, one line a reason. */
void page_failures(struct grid *g, const struct status *s);

/* The whole of it, for status. */
void page_all(struct grid *g, const struct status *s, const char *path);
/* One line of it, for logs. */
void page_line(struct str *out, const struct status *s);

/* Nothing runs and nothing is to come: every stage is complete or refused and
 * nobody writes. */
int page_is_over(const struct status *s);

/* A curve in `cols` characters: eighths of a block, or letters in ASCII; blank
 * where v is NaN.  What is above all that
 * follows the first tenth is cut off. */
void page_spark(struct str *out, const double *v, int n, int cols, int ascii);

enum paint page_state_paint(const char *state);

#endif
