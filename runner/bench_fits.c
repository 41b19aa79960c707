/* bench --fit: the rows of analysis/bench_fit. */
#include "runner/bench_fits.h"

#include "analysis/bench_fit.h"
#include "base/str.h"

#include <stdio.h>
#include <unistd.h>

#define REPEATS 3

static void print_row(const struct bench_fit_row *r, void *ctx)
{
    char cpu[STR_DOUBLE], wall[STR_DOUBLE];

    if (*(const int *)ctx)
        printf("{\"name\":\"%s\",\"points\":%d,\"fits\":%d,\"threads\":%d,"
               "\"seconds\":%s,\"wall\":%s}\n",
               r->name, r->points, r->fits, r->threads,
               str_double(cpu, r->seconds), str_double(wall, r->wall));
    else
        printf("%-38s %6d %6d %7d %9.4f %9.4f\n", r->name, r->points, r->fits,
               r->threads, r->seconds, r->wall);
    fflush(stdout);
}

int bench_fits(int json, struct err *e)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (!json)
        printf("%-38s %6s %6s %7s %9s %9s\n", "fit", "points", "fits",
               "threads", "cpu s", "wall s");
    return bench_fit(cores > 64  ? 64
                     : cores > 1 ? (int)cores
                                 : 1,
                     REPEATS, print_row, &json, e);
}
