/* tape: see tape.h.  A file of fixed records, each with a checksum. */
#include "runner/tape.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RECORD_STEP = 1, RECORD_EVAL, RECORD_POSITION };

struct record {
    uint64_t check; /* XXH3 of the rest */
    int64_t kind;
    union {
        struct step_report step;
        struct eval_report eval;
        struct position_report position;
    } is;
};

struct tape {
    int fd;
    char path[1100];
};

int tape_open(struct tape **out, const char *dir, struct err *e)
{
    struct tape *t = xcalloc(1, sizeof *t);

    snprintf(t->path, sizeof t->path, "%s/" TAPE_NAME, dir);
    t->fd = open(t->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (t->fd < 0) {
        err_errno(e, "%s", t->path);
        free(t);
        return -1;
    }
    *out = t;
    return 0;
}

void tape_close(struct tape *t)
{
    if (!t)
        return;
    close(t->fd);
    free(t);
}

static uint64_t checksum(const struct record *r)
{
    return hash_xxh3(&r->kind, sizeof *r - sizeof r->check);
}

static int append(struct tape *t, struct record *r, struct err *e)
{
    r->check = checksum(r);
    if (file_write_all(t->fd, r, sizeof *r, e))
        return err_prefix(e, "%s: ", t->path);
    return 0;
}

int tape_step(struct tape *t, const struct step_report *r, struct err *e)
{
    struct record rec;

    memset(&rec, 0, sizeof rec);
    rec.kind = RECORD_STEP;
    rec.is.step = *r;
    return append(t, &rec, e);
}

int tape_eval(struct tape *t, const struct eval_report *r, struct err *e)
{
    struct record rec;

    memset(&rec, 0, sizeof rec);
    rec.kind = RECORD_EVAL;
    rec.is.eval = *r;
    return append(t, &rec, e);
}

int tape_position(struct tape *t, const struct position_report *r,
                  struct err *e)
{
    struct record rec;

    memset(&rec, 0, sizeof rec);
    rec.kind = RECORD_POSITION;
    rec.is.position = *r;
    return append(t, &rec, e);
}

/* One whole record at the file's position, of a step up to `step`. */
static int next(struct tape *t, struct record *r, int64_t step)
{
    ssize_t n = read(t->fd, r, sizeof *r);

    if (n != (ssize_t)sizeof *r || r->check != checksum(r))
        return 0;
    if (r->kind == RECORD_STEP)
        return r->is.step.step <= step;
    if (r->kind == RECORD_POSITION)
        return r->is.position.step <= step;
    return r->kind == RECORD_EVAL && r->is.eval.step <= step;
}

int tape_play(struct tape *t, int64_t step, const struct observer *obs,
              struct err *e)
{
    struct record r;
    off_t end = 0;

    if (lseek(t->fd, 0, SEEK_SET) < 0)
        return err_errno(e, "%s", t->path);
    while (step > 0 && next(t, &r, step)) {
        if (r.kind == RECORD_STEP && obs->on_step)
            obs->on_step(obs->ctx, &r.is.step);
        if (r.kind == RECORD_EVAL && obs->on_eval)
            obs->on_eval(obs->ctx, &r.is.eval);
        if (r.kind == RECORD_POSITION && obs->on_position)
            obs->on_position(obs->ctx, &r.is.position);
        end += (off_t)sizeof r;
    }
    if (ftruncate(t->fd, end) || lseek(t->fd, end, SEEK_SET) < 0)
        return err_errno(e, "%s", t->path);
    return 0;
}
