/* laws_db: points by the kind of their stage. */
#include "runner/laws_db.h"

#include "analysis/import.h"
#include "base/log.h"
#include "db/runs.h"

#include <stdlib.h>
#include <string.h>

static int read_study(struct laws_input *in, struct store *db, struct err *e)
{
    struct err why;
    char *text;

    if (db_study_text(&text, db, in->id, e))
        return -1;
    in->have_study =
        !study_parse(&in->study, "study", text, strlen(text), &why) &&
        in->study.n_stage > 0;
    free(text);
    return 0;
}

static int read_stages(struct laws_input *in, struct store *db, struct err *e)
{
    static const enum stage_kind kinds[] = {STAGE_HYPER, STAGE_ISOFLOP,
                                            STAGE_VERIFY};
    struct points *to[] = {&in->hyper, &in->isoflop, &in->verify};

    for (int i = 0; i < in->study.n_stage; i++)
        for (int k = 0; k < 3; k++)
            if (in->study.stage[i].kind == kinds[k] &&
                points_from_db(to[k], db, in->id, in->study.stage[i].name, NULL,
                               e))
                return -1;
    return 0;
}

static void init(struct laws_input *in)
{
    memset(in, 0, sizeof *in);
    points_init(&in->hyper);
    points_init(&in->isoflop);
    points_init(&in->verify);
}

/* Runs without stages: a grid as well, where lr and batch are known. */
static void no_stages(struct laws_input *in)
{
    points_derive(&in->isoflop);
    if (points_has(&in->isoflop, POINT_LR) &&
        points_has(&in->isoflop, POINT_BATCH))
        points_select(&in->hyper, &in->isoflop, NULL);
}

int laws_input_read(struct laws_input *in, struct store *db, const char *name,
                    struct err *e)
{
    init(in);
    if (db_study_find(&in->id, db, name, e) || read_study(in, db, e))
        goto bad;
    if (in->have_study
            ? read_stages(in, db, e)
            : points_from_db(&in->isoflop, db, in->id, NULL, NULL, e))
        goto bad;
    if (!in->have_study)
        no_stages(in);
    return 0;
bad:
    laws_input_release(in);
    return -1;
}

int laws_input_file(struct laws_input *in, const char *path, const char *map,
                    const char *where, struct err *e)
{
    init(in);
    if (points_import(&in->isoflop, path, map, where, e)) {
        laws_input_release(in);
        return -1;
    }
    no_stages(in);
    return 0;
}

void laws_input_release(struct laws_input *in)
{
    points_release(&in->hyper);
    points_release(&in->isoflop);
    points_release(&in->verify);
}

void laws_input_opts(struct laws_opts *o, const struct laws_input *in)
{
    if (in->have_study)
        laws_opts_study(o, &in->study);
    else
        laws_opts_default(o);
    o->surfaces = 1;
}
