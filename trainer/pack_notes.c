/* pack_notes: see pack_notes.h. */
#include "trainer/pack_notes.h"

#include "base/file.h"
#include "base/mem.h"
#include "trainer/pack_stage.h"

#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PENDING ((size_t)1 << 20)

int pack_notes_open(struct pack_notes *n, const char *dir, struct err *e)
{
    str_init(&n->text);
    str_add(&n->text, "kind\tfile\toffset\tbytes\tremark\n");
    n->fd = -1;
    if (snprintf(n->path, sizeof n->path, "%s/" PACK_NOTES, dir) >=
        (int)sizeof n->path)
        return err_set(e, ERR_USAGE, "%.200s: path too long", dir);
    n->fd = open(n->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return n->fd < 0 ? err_errno(e, "%s", n->path) : 0;
}

static int flush(struct pack_notes *n, struct err *e)
{
    if (file_write_all(n->fd, n->text.text, n->text.len, e))
        return err_prefix(e, "%s: ", n->path);
    str_clear(&n->text);
    return 0;
}

int pack_notes_close(struct pack_notes *n, struct err *e)
{
    int fd = n->fd;

    if (flush(n, e))
        return -1;
    n->fd = -1;
    return fsync(fd) | close(fd) ? err_errno(e, "%s", n->path) : 0;
}

void pack_notes_release(struct pack_notes *n)
{
    if (n->fd >= 0)
        close(n->fd);
    n->fd = -1;
    str_release(&n->text);
}

/* A path in one field of one line. */
static void add_path(struct str *s, const char *path)
{
    for (; *path; path++)
        str_add_n(s, strchr("\t\n\r", *path) ? "?" : path, 1);
}

static void add_start(struct pack_notes *n, const char *kind, const char *path,
                      int64_t offset, int64_t bytes)
{
    str_addf(&n->text, "%s\t", kind);
    add_path(&n->text, path);
    str_addf(&n->text, "\t%" PRId64 "\t%" PRId64 "\t", offset, bytes);
}

/* A line is complete. */
static int end(struct pack_notes *n, struct err *e)
{
    return n->text.len >= PENDING ? flush(n, e) : 0;
}

int pack_note_invalid(struct pack_notes *n, const char *path, int64_t offset,
                      size_t bytes, size_t bad, int64_t first, struct err *e)
{
    add_start(n, "invalid-utf8", path, offset, (int64_t)bytes);
    str_addf(&n->text, "%zu bytes, the first at %" PRId64 "\n", bad, first);
    return end(n, e);
}

int pack_note_copy(struct pack_notes *n, const char *path,
                   const struct pack_doc *d, const char *first_path,
                   const struct pack_doc *first, struct err *e)
{
    add_start(n, "copy", path, d->offset, d->len);
    str_add(&n->text, "of ");
    add_path(&n->text, first_path);
    str_addf(&n->text, " offset %" PRId64 "\n", first->offset);
    return end(n, e);
}

int pack_note_near(struct pack_notes *n, const char *path,
                   const struct pack_doc *d, const char *first_path,
                   const struct pack_doc *first, double similarity,
                   struct err *e)
{
    add_start(n, "near-copy", path, d->offset, d->len);
    str_addf(&n->text, "%.2f like ", similarity);
    add_path(&n->text, first_path);
    str_addf(&n->text, " offset %" PRId64 "\n", first->offset);
    return end(n, e);
}

int pack_note_overlap(struct pack_notes *n, const char *path,
                      const struct pack_doc *d, double share, struct err *e)
{
    add_start(n, "overlap", path, d->offset, d->len);
    str_addf(&n->text, "%.4f of its 64-byte windows are in train\n", share);
    return end(n, e);
}

/* A path need not be UTF-8, JSON must be: other bytes become '?'. */
static json_t *path_json(const char *path)
{
    json_t *j = json_string(path);
    char *copy;

    if (j)
        return j;
    copy = xstrdup(path);
    for (char *p = copy; *p; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    j = json_string(copy);
    free(copy);
    return j;
}

/* The inputs that set `set` was made from. */
static json_t *inputs_of(const struct pack_options *o, int set)
{
    json_t *list = json_array();

    for (int i = 0; i < o->n_input; i++)
        if (o->input[i].set == set ||
            (set == PACK_VALID && o->input[i].set == PACK_TRAIN))
            json_array_append_new(list, path_json(o->input[i].path));
    return list;
}

char *pack_source_json(const struct pack_options *o, int set,
                       const struct pack_set_report *r)
{
    static const char *const split[] = {"document", "directory", "none"};
    json_t *j = json_object();
    char *text;

    json_object_set_new(j, "set", json_string(r->name));
    if (o->note)
        json_object_set_new(j, "note", path_json(o->note));
    json_object_set_new(j, "inputs", inputs_of(o, set));
    json_object_set_new(j, "split", json_string(split[o->split]));
    json_object_set_new(j, "seed", json_integer((json_int_t)o->seed));
    if (o->near > 0)
        json_object_set_new(j, "near", json_real(o->near));
    json_object_set_new(j, "unique_windows", json_real(r->unique));
    if (set != PACK_TRAIN)
        json_object_set_new(j, "windows_in_train", json_real(r->overlap));
    text = json_dumps(j, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    json_decref(j);
    BUG_ON(!text);
    return text;
}
