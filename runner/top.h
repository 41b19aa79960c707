/* top: the live view as a state that keys change and that is drawn into a grid.
 * Pure: no terminal and no database here, so tests press keys and read the
 * screen. */
#ifndef LOGLOG_RUNNER_TOP_H
#define LOGLOG_RUNNER_TOP_H

#include "db/curve.h"
#include "runner/page.h"
#include "runner/tui.h"

/* The lists, in the order of their keys 1, 2, ... */
enum top_list {
    TOP_RUNNING,
    TOP_RUNS,
    TOP_BEST,
    TOP_LANES,
    TOP_FAILURES,
    TOP_EVENTS,
    TOP_LISTS
};
/* What runs and failures are sorted by, in the order of the key s. */
enum top_sort {
    SORT_PLAN,
    SORT_STATE,
    SORT_BUDGET,
    SORT_BPB,
    SORT_LR,
    SORT_BATCH,
    SORT_SIZE,
    SORT_DONE,
    SORTS
};

/* What is shown, read from the database. */
struct top_data {
    struct status status;
    struct listing runs;   /* empty while no list needs them */
    struct db_curve curve; /* of the open run */
    double *quiet;         /* seconds without a step, by running run; NULL */
    const char *path;
    char clock[16];    /* "22:31:05" */
    char trouble[512]; /* why the last look failed; "" */
};

struct top {
    enum top_list list;
    enum top_sort sort;
    int reverse;
    char filter[64];
    int typing; /* keys go into the filter */
    int help, paused;
    int64_t open; /* the run whose curve is shown; 0: none */
    int log_x, log_y;
    int64_t run; /* of the selected row: it stays selected as rows move */
    size_t row;  /* the selected row, from 0 */
    size_t first, rows; /* the first row shown; how many there are */
    size_t fit;         /* rows that the screen has room for */
    int64_t next_run, previous_run; /* beside the open one, in this order */
    double seconds;                 /* between looks */
};

void top_init(struct top *t);
/* Whether the lists of this state need top_data.runs. */
int top_needs_runs(const struct top *t);

enum top_wish { TOP_STAY, TOP_READ, TOP_QUIT };
/* A key changes the state; TOP_READ: what is shown has to be read anew. */
enum top_wish top_key(struct top *t, int key);

/* Sort a listing as the state says. */
void top_sort_runs(struct listing *l, const struct top *t);

/* Draw a screen of rows x cols into *g, which is initialised here, and note in
 * *t what is selected and how far it can scroll. */
void top_draw(struct grid *g, int rows, int cols, int ascii, struct top *t,
              const struct top_data *d);

#endif
