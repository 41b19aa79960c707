/* cmd_db: the care of database files. */
#include "base/mem.h"
#include "base/str.h"
#include "db/rebuild.h"
#include "db/upkeep.h"
#include "runner/cmd.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct settings {
    int deep, on, off, in_place;
    int64_t every, per_decade;
    const char *out;
};

static const char *size_text(char buf[STR_DOUBLE], const char *path)
{
    struct stat st;

    return str_bytes(buf, stat(path, &st) ? 0 : (double)st.st_size);
}

/* Each gets its positional arguments (checked for number) and returns 0, or
 * -1 with *e. */

static int do_check(const struct settings *s, const char **args, int n,
                    struct err *e)
{
    struct store *db;
    int64_t found;
    int rc;

    (void)n;
    if (store_open(&db, args[0], STORE_READ, e))
        return -1;
    rc = db_check(&found, stdout, db, s->deep, e);
    store_close(db);
    if (rc)
        return -1;
    if (found)
        return err_set(e, ERR_DB, "%s: %lld things are wrong", args[0],
                       (long long)found);
    printf("%s: sound\n", args[0]);
    return 0;
}

static int do_backup(const struct settings *s, const char **args, int n,
                     struct err *e)
{
    char size[STR_DOUBLE];
    struct store *db;
    int rc;

    (void)s;
    (void)n;
    if (store_open(&db, args[0], STORE_READ, e))
        return -1;
    rc = db_backup(db, args[1], e);
    store_close(db);
    if (!rc)
        printf("%s: %s\n", args[1], size_text(size, args[1]));
    return rc;
}

static int do_merge(const struct settings *s, const char **args, int n,
                    struct err *e)
{
    struct store *db;
    int64_t conflicts = 0;
    int rc = 0;

    (void)s;
    if (store_open(&db, args[0], STORE_WRITE, e))
        return -1;
    for (int i = 1; i < n && !rc; i++) {
        struct merge m;
        rc = db_merge(&m, stdout, db, args[i], e);
        conflicts += m.conflicts;
        if (!rc)
            printf("%s: %lld new runs, %lld completed, %lld the same, "
                   "%lld conflicts\n",
                   args[i], (long long)m.runs, (long long)m.completed,
                   (long long)m.same, (long long)m.conflicts);
    }
    store_close(db);
    if (!rc && conflicts)
        return err_set(e, ERR_DB, "%s: %lld conflicts; what was there stays",
                       args[0], (long long)conflicts);
    return rc;
}

static int do_vacuum(const struct settings *s, const char **args, int n,
                     struct err *e)
{
    char before[STR_DOUBLE], after[STR_DOUBLE];
    struct store *db;
    int rc;

    (void)s;
    (void)n;
    size_text(before, args[0]);
    if (store_open(&db, args[0], STORE_WRITE, e))
        return -1;
    rc = db_vacuum(db, e);
    store_close(db);
    if (!rc)
        printf("%s: %s, was %s\n", args[0], size_text(after, args[0]), before);
    return rc;
}

static int do_thin(const struct settings *s, const char **args, int n,
                   struct err *e)
{
    struct store *db;
    int64_t dropped;
    int rc;

    (void)n;
    if (s->every <= 0 && s->per_decade <= 0)
        return err_set(e, ERR_USAGE,
                       "db thin: --every K or --per-decade K expected");
    if (store_open(&db, args[0], STORE_WRITE, e))
        return -1;
    rc = db_thin(&dropped, db, &(struct retain){s->every, s->per_decade}, e);
    store_close(db);
    if (!rc)
        printf("%s: %lld step rows dropped; `loglog db vacuum` makes the file "
               "smaller\n",
               args[0], (long long)dropped);
    return rc;
}

static int do_journal(const struct settings *s, const char **args, int n,
                      struct err *e)
{
    struct store *db;
    char *path;
    int rc;

    (void)n;
    if (s->on == s->off)
        return err_set(e, ERR_USAGE, "db journal: --on or --off expected");
    if (store_open(&db, args[0], STORE_WRITE, e))
        return -1;
    rc = db_journal(db, s->on, e);
    store_close(db);
    if (!rc) {
        path = db_journal_path(args[0]);
        printf("%s: %s\n", path, s->on ? "kept" : "removed");
        free(path);
    }
    return rc;
}

static int do_rebuild(const struct settings *s, const char **args, int n,
                      struct err *e)
{
    char out[PATH_MAX], *journal = db_journal_path(args[0]);
    struct rebuild r;
    int rc;

    (void)n;
    snprintf(out, sizeof out, "%s%s", s->out ? s->out : args[0],
             s->out ? "" : ".rebuilt");
    rc = db_rebuild(&r, journal, out, e);
    if (!rc) {
        printf("%s: %lld lines of the journal replayed\n", out,
               (long long)r.lines);
        if (r.torn)
            printf("its last line is incomplete: it was never committed\n");
        else if (r.bad)
            rc = err_set(e, ERR_DB, "%s: line %lld: %s; %s ends before it",
                         journal, (long long)r.bad, r.why, out);
    }
    free(journal);
    if (!rc && s->in_place) {
        rc = db_put_in_place(args[0], out, e);
        if (!rc)
            printf("%s: rebuilt; what was there is now %s.damaged\n", args[0],
                   args[0]);
    }
    return rc;
}

static const struct {
    const char *name;
    int min, max; /* arguments behind the name; max < 0: any number */
    int (*run)(const struct settings *s, const char **args, int n,
               struct err *e);
    const char *usage;
} actions[] = {
    {"check", 1, 1, do_check, "check F [--deep]"},
    {"backup", 2, 2, do_backup, "backup F TO"},
    {"merge", 2, -1, do_merge, "merge F FROM..."},
    {"rebuild", 1, 1, do_rebuild, "rebuild F [-o OUT] [--in-place]"},
    {"vacuum", 1, 1, do_vacuum, "vacuum F"},
    {"thin", 1, 1, do_thin, "thin F --every K|--per-decade K"},
    {"journal", 1, 1, do_journal, "journal F --on|--off"},
};

static int run_action(const struct settings *s, const char **args, int n,
                      struct err *e)
{
    const char *names[ARRAY_LEN(actions)], *near;

    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        names[i] = actions[i].name;
        if (strcmp(args[0], names[i]))
            continue;
        if (n - 1 < actions[i].min ||
            (actions[i].max >= 0 && n - 1 > actions[i].max))
            return err_set(e, ERR_USAGE, "usage: loglog db %s",
                           actions[i].usage);
        return actions[i].run(s, args + 1, n - 1, e);
    }
    near = str_nearest(args[0], names, ARRAY_LEN(names));
    return err_set(e, ERR_USAGE, "db: nothing called '%s'%s%s%s", args[0],
                   near ? ", did you mean " : " (see loglog db --help)",
                   near ? near : "", near ? "?" : "");
}

static int db_main(const struct command *self, int argc, char **argv)
{
    struct settings s = {0};
    const char **args;
    struct err e;
    int n, rc;
    const struct opt opts[] = {
        {"deep", 0, OPT_FLAG, &s.deep, NULL,
         "check: replay the journal and compare every row"},
        {"out", 'o', OPT_STRING, &s.out, "OUT",
         "rebuild: the new file (F.rebuilt)"},
        {"in-place", 0, OPT_FLAG, &s.in_place, NULL,
         "rebuild: put it where F is, which becomes F.damaged"},
        {"every", 0, OPT_INT, &s.every, "K", "thin: keep every K-th step"},
        {"per-decade", 0, OPT_INT, &s.per_decade, "K",
         "thin: keep K steps a decade, evenly in log(step)"},
        {"on", 0, OPT_FLAG, &s.on, NULL, "journal: keep one from now on"},
        {"off", 0, OPT_FLAG, &s.off, NULL, "journal: keep none, remove it"},
        OPT_END,
    };

    rc = opts_parse(self, opts, argc, argv, &args, &n, 1, -1, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    return run_action(&s, args, n, &e) ? opts_fail(&e) : 0;
}

const struct command cmd_db = {
    .name = "db",
    .synopsis = "db check|backup|merge|rebuild|vacuum|thin|journal F ...",
    .summary = "check, copy, merge, rebuild and shrink database files",
    .help =
        "  check F [--deep]            is the file sound? integrity, hashes, "
        "journal\n"
        "  backup F TO                 a copy of a file that may be in use\n"
        "  merge F FROM...             bring studies and runs of others into "
        "F, by run id\n"
        "  rebuild F [-o OUT]          make it again from F.journal.jsonl\n"
        "  vacuum F                    make file and journal small\n"
        "  thin F --every K            drop step rows of finished runs; "
        "evaluations stay\n"
        "  journal F --on|--off        keep a journal beside the file, or "
        "none\n\n"
        "All but check, backup and rebuild need the file to themselves: a "
        "running study\nkeeps them out.  Exit status 4 when something is wrong "
        "or contradicts.\n",
    .main = db_main,
};
