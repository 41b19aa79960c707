/* cmd_import: runs of others into a database, as points beside one's own. */
#include "analysis/import.h"
#include "base/mem.h"
#include "base/str.h"
#include "db/imported.h"
#include "db/query.h"
#include "db/runs.h"
#include "runner/cmd.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What an imported study's text says; the same for all, so that another file
 * can join it. */
static const char resolved[] = "# runs that were imported, not planned here\n";

struct request {
    const char *db, *file, *map, *where, *study, *stage;
    int json;
};

static int read_number(void *ctx, int n, const char *const *value)
{
    if (n > 0 && value[0])
        *(int *)ctx = atoi(value[0]);
    return 1;
}

/* The index of the stage of this name, or of a new one. */
static int stage_index(int *index, struct store *db, int64_t study,
                       const char *name, struct err *e)
{
    struct str sql;
    int found = -1, most = -1, rc;

    str_init(&sql);
    str_addf(&sql, "SELECT idx FROM stage WHERE study = %lld AND name = '",
             (long long)study);
    for (const char *c = name; *c; c++) {
        str_add_n(&sql, c, 1);
        if (*c == '\'')
            str_add_n(&sql, c, 1);
    }
    str_add(&sql, "'");
    rc = db_each(db, sql.text, read_number, &found, e);
    str_clear(&sql);
    str_addf(&sql, "SELECT max(idx) FROM stage WHERE study = %lld",
             (long long)study);
    if (rc == 0)
        rc = db_each(db, sql.text, read_number, &most, e);
    str_release(&sql);
    *index = found >= 0 ? found : most + 1;
    return rc;
}

static void fill(struct db_imported *r, const struct points *p, size_t i)
{
    const struct {
        double *to;
        enum point_col col;
    } map[] = {
        {&r->budget, POINT_BUDGET},
        {&r->M, POINT_M},
        {&r->N1, POINT_N1},
        {&r->N2, POINT_N2},
        {&r->D, POINT_D},
        {&r->flops, POINT_FLOPS},
        {&r->flops_exact, POINT_FLOPS_EXACT},
        {&r->lr, POINT_LR},
        {&r->batch, POINT_BATCH},
        {&r->d_model, POINT_D_MODEL},
        {&r->n_layer, POINT_N_LAYER},
        {&r->seed, POINT_SEED},
        {&r->steps, POINT_STEPS},
        {&r->loss, POINT_LOSS},
        {&r->bpb, POINT_BPB},
        {&r->wd, POINT_WD},
        {&r->unique_tokens, POINT_UNIQUE},
    };

    for (size_t k = 0; k < ARRAY_LEN(map); k++)
        *map[k].to = p->col[map[k].col][i];
    if (isnan(r->N2)) /* how a source counts its parameters is its own */
        r->N2 = p->col[POINT_N][i];
    r->used = p->used[i];
    r->why = p->used[i] ? NULL : p->why[i];
    r->cluster = p->group[i][0] ? p->group[i] : NULL;
}

static int put(struct store *db, const struct request *q,
               const struct points *p, struct err *e)
{
    struct db_imported *row;
    int64_t study;
    int index, rc = -1;

    if (store_begin(db, e))
        return -1;
    row = xcalloc(p->n + 1, sizeof(*row));
    for (size_t i = 0; i < p->n; i++)
        fill(&row[i], p, i);
    if (db_study_put(&study, db, q->study, resolved, 0, e) == 0 &&
        stage_index(&index, db, study, q->stage, e) == 0)
        rc = db_imported_put(db, study, index, q->stage, q->file, row, p->n, e);
    free(row);
    if (rc) {
        store_rollback(db);
        return -1;
    }
    return store_commit(db, e);
}

static int import(const struct request *q, struct err *e)
{
    struct points p;
    struct store *db;
    int rc;

    points_init(&p);
    if (points_import(&p, q->file, q->map, q->where, e))
        return -1;
    if (p.n == 0) {
        points_release(&p);
        return err_set(e, ERR_USAGE, "%s: no row is left to import", q->file);
    }
    rc = store_open(&db, q->db, STORE_WRITE, e);
    if (rc == 0) {
        rc = put(db, q, &p, e);
        store_close(db);
    }
    if (rc == 0 && q->json)
        printf("{\"study\": \"%s\", \"stage\": \"%s\", \"rows\": %zu, "
               "\"used\": %zu}\n",
               q->study, q->stage, p.n, points_used(&p));
    else if (rc == 0)
        printf("%zu rows (%zu usable) of %s into study '%s', stage '%s'\n", p.n,
               points_used(&p), q->file, q->study, q->stage);
    points_release(&p);
    return rc;
}

/* Names go into the database and into JSON as they are. */
static int check_name(const char *option, const char *name, struct err *e)
{
    if (!name[0] || strlen(name) > 31 ||
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                     "0123456789._-") != strlen(name))
        return err_set(e, ERR_USAGE,
                       "--%s '%.60s': expected 1 to 31 letters, digits, '.', "
                       "'_' or '-'",
                       option, name);
    return 0;
}

static int import_main(const struct command *self, int argc, char **argv)
{
    struct request q = {.study = "imported", .stage = "points"};
    const char *csv = NULL, *points = NULL, **args;
    struct err e;
    int n_args, rc;
    const struct opt opts[] = {
        {"csv", 0, OPT_STRING, &csv, "FILE", "runs as CSV or JSON lines"},
        {"points", 0, OPT_STRING, &points, "FILE", "the same"},
        {"map", 0, OPT_STRING, &q.map, "MAP",
         "n=params*1e6,d=tokens,loss=final_loss,group=run,..."},
        {"where", 0, OPT_STRING, &q.where, "FORMULA",
         "only rows for which this is true"},
        {"study", 0, OPT_STRING, &q.study, "NAME", "to put them in (imported)"},
        {"stage", 0, OPT_STRING, &q.stage, "NAME",
         "of that study (points); rows it had are replaced"},
        {"json", 0, OPT_FLAG, &q.json, NULL, "one JSON object"},
        OPT_END,
    };

    rc = opts_parse(self, opts, argc, argv, &args, &n_args, 1, 1, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    q.db = args[0];
    q.file = csv ? csv : points;
    if (!q.file || (csv && points)) {
        err_set(&e, ERR_USAGE, "import needs --csv FILE%s",
                csv ? " or --points FILE, not both" : "");
        return opts_fail(&e);
    }
    if (check_name("study", q.study, &e) || check_name("stage", q.stage, &e) ||
        import(&q, &e))
        return opts_fail(&e);
    return 0;
}

const struct command cmd_import = {
    .name = "import",
    .synopsis = "import DB --csv FILE [--map MAP] [options]",
    .summary = "published or foreign runs into a database, to fit them here",
    .help =
        "Columns are taken by their usual names (n or params, d or tokens, c "
        "or\n"
        "flops, loss, lr, batch, ...) or as the mapping says: "
        "COLUMN=FORMULA,...\n"
        "with + - * / ^, log, sqrt, comparisons, and columns mapped before.\n"
        "Columns: budget m n n1 n2 d unique flops flops_exact lr batch wd "
        "d_model\n"
        "n_layer seed steps loss bpb; group, stage, used.  flops = 6 n d and "
        "the\n"
        "like are derived.  The study is made if need be.\n\n"
        "  loglog import runs.db --csv chinchilla.csv \\\n"
        "      --map 'n=Params,flops=C,d=flops/(6*n),loss=loss'\n"
        "  loglog fit runs.db --law surface\n",
    .main = import_main,
};
