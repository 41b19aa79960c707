/* schedule_load: see schedule_load.h. */
#include "runner/schedule_load.h"

#include "base/mem.h"
#include "base/str.h"
#include "db/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Times are in seconds since the first attempt; an open end is the last time
 * that anything happened. */
static const char sql_attempts[] =
    "WITH a AS (SELECT host, ranks, state, julianday(started) AS t0, "
    "julianday(ended) AS t1 FROM attempts WHERE run IN (SELECT run FROM runs "
    "WHERE study_id = %lld)) "
    "SELECT coalesce(host, '?'), coalesce(ranks, '0'), state, "
    "(t0 - (SELECT min(t0) FROM a)) * 86400, "
    "(coalesce(t1, (SELECT max(max(t0), coalesce(max(t1), 0)) FROM a)) "
    "- (SELECT min(t0) FROM a)) * 86400 FROM a ORDER BY host, t0";

struct loader {
    struct plot_schedule *s;
    size_t cap, cap_lane;
};

static int lane_of(struct loader *l, const char *host, const char *rank,
                   size_t n)
{
    struct plot_schedule *s = l->s;
    char name[80];
    size_t i = 0;

    snprintf(name, sizeof name, "%.60s:%.*s", host, (int)(n < 8 ? n : 8), rank);
    while (i < s->n_lane && strcmp(s->lane[i], name))
        i++;
    if (i == s->n_lane) {
        s->lane =
            mem_grow(s->lane, &l->cap_lane, s->n_lane + 1, sizeof *s->lane);
        memcpy(s->lane[s->n_lane++], name, sizeof name);
    }
    return (int)i;
}

static void add_slot(struct loader *l, const char *const *value,
                     const char *rank, size_t n)
{
    struct plot_schedule *s = l->s;
    struct plot_attempt a = {.lane = lane_of(l, value[0], rank, n)};

    if (str_to_double(value[3], &a.from) || str_to_double(value[4], &a.to))
        return;
    snprintf(a.state, sizeof a.state, "%s", value[2]);
    s->attempt = mem_grow(s->attempt, &l->cap, s->n + 1, sizeof *s->attempt);
    s->attempt[s->n++] = a;
}

/* A gang takes several lanes: "0 1 4". */
static int add_attempt(void *ctx, int n, const char *const *value)
{
    const char *rank = value[1];

    (void)n;
    if (!value[3] || !value[4])
        return 0;
    while (*rank) {
        size_t len = strcspn(rank, " ");
        add_slot(ctx, value, rank, len);
        rank += len + (rank[len] == ' ');
    }
    return 0;
}

int schedule_load(struct plot_schedule *s, struct store *db, int64_t study,
                  struct err *e)
{
    struct loader l = {.s = s};
    char sql[sizeof sql_attempts + 24];

    memset(s, 0, sizeof *s);
    snprintf(sql, sizeof sql, sql_attempts, (long long)study);
    if (!db_each(db, sql, add_attempt, &l, e))
        return 0;
    schedule_unload(s);
    return -1;
}

void schedule_unload(struct plot_schedule *s)
{
    free(s->lane);
    free(s->attempt);
    memset(s, 0, sizeof *s);
}
