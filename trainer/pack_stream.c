/* pack_stream: see pack_stream.h.
 *
 * Bytes come in pieces, from a pipe or a mapped file; a splitter gathers them
 * up to the next separator (NUL, or the end of a line).  What a piece holds all
 * of is not copied. */
#include "trainer/pack_stream.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "trainer/pack_json.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIECE ((size_t)1 << 18)

extern char **environ;

static const struct {
    const char *suffix;
    const char *program; /* PROGRAM -dc FILE writes it on stdout */
} unpackers[] = {
    {".gz", "gzip"}, {".bz2", "bzip2"}, {".xz", "xz"}, {".zst", "zstd"}};

static int ends_with(const char *text, size_t len, const char *suffix)
{
    size_t n = strlen(suffix);

    return len > n && !memcmp(text + len - n, suffix, n);
}

/* The program that unpacks this file, and the length of its name without the
 * suffix; NULL: it is not compressed. */
static const char *unpacker(const char *path, size_t *len)
{
    *len = strlen(path);
    for (size_t i = 0; i < ARRAY_LEN(unpackers); i++)
        if (ends_with(path, *len, unpackers[i].suffix)) {
            *len -= strlen(unpackers[i].suffix);
            return unpackers[i].program;
        }
    return NULL;
}

int pack_is_compressed(const char *path)
{
    size_t len;

    return unpacker(path, &len) != NULL;
}

int pack_is_json_lines(const char *path)
{
    size_t len;

    unpacker(path, &len);
    return ends_with(path, len, ".jsonl") || ends_with(path, len, ".ndjson");
}

struct splitter {
    const char *path, *field; /* field: NULL unless JSON lines */
    int (*document)(void *ctx, const uint8_t *text, size_t n, int64_t offset,
                    struct err *e);
    void *ctx;
    struct str text; /* since the last separator */
    struct str json; /* the text of a line */
    int64_t offset;  /* of text */
    int64_t line;    /* from 1 */
};

static int is_blank(const char *text, size_t n)
{
    while (n && memchr(" \t\r", text[n - 1], 3))
        n--;
    return !n;
}

static int emit_line(struct splitter *s, const char *text, size_t n,
                     struct err *e)
{
    json_error_t je;
    const json_t *value;
    json_t *root;
    int rc;

    if (pack_json_text(&s->json, text, n, s->field))
        return s->document(s->ctx, (const uint8_t *)s->json.text, s->json.len,
                           s->offset, e);
    if (is_blank(text, n))
        return 0;
    root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &je);
    if (!root)
        return err_set(e, ERR_USAGE, "%s:%" PRId64 ": %s", s->path, s->line,
                       je.text);
    value = json_object_get(root, s->field);
    if (json_is_string(value))
        rc = s->document(s->ctx, (const uint8_t *)json_string_value(value),
                         json_string_length(value), s->offset, e);
    else
        rc = err_set(e, ERR_USAGE,
                     "%s:%" PRId64 ": expected an object with a text \"%s\" "
                     "(--text-field names another)",
                     s->path, s->line, s->field);
    json_decref(root);
    return rc;
}

/* A document, or a line that holds one. */
static int emit(struct splitter *s, const void *text, size_t n, struct err *e)
{
    int rc = s->field ? emit_line(s, text, n, e)
                      : s->document(s->ctx, text, n, s->offset, e);

    s->offset += (int64_t)n + 1;
    s->line++;
    return rc;
}

static int feed(struct splitter *s, const uint8_t *data, size_t n,
                struct err *e)
{
    while (n) {
        const uint8_t *stop = memchr(data, s->field ? '\n' : 0, n);
        size_t take = stop ? (size_t)(stop - data) : n;
        int rc;

        if (stop && !s->text.len) {
            rc = emit(s, data, take, e);
        } else {
            str_add_n(&s->text, data, take);
            if (!stop)
                return 0;
            rc = emit(s, s->text.text, s->text.len, e);
            str_clear(&s->text);
        }
        if (rc)
            return rc;
        data += take + 1;
        n -= take + 1;
    }
    return 0;
}

static int start(pid_t *pid, int *fd, const char *program, const char *path,
                 struct err *e)
{
    char *argv[] = {xstrdup(program), xstrdup("-dc"), xstrdup("--"),
                    xstrdup(path), NULL};
    posix_spawn_file_actions_t actions;
    int ends[2], rc;

    if (pipe2(ends, O_CLOEXEC)) {
        rc = err_errno(e, "pipe");
        goto out;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    rc = posix_spawnp(pid, program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    *fd = ends[0];
    if (rc) {
        close(ends[0]);
        rc = err_set(e, ERR_ENV, "%s: needs the program %s: %s", path, program,
                     strerror(rc));
    }
out:
    for (int i = 0; argv[i]; i++)
        free(argv[i]);
    return rc;
}

static int unpack(struct splitter *s, const char *program, struct err *e)
{
    uint8_t *piece;
    int fd = -1, status, rc;
    ssize_t n;
    pid_t pid;

    if (access(s->path, R_OK))
        return err_errno(e, "%s", s->path);
    if (start(&pid, &fd, program, s->path, e))
        return -1;
    piece = xmalloc(PIECE);
    do {
        n = read(fd, piece, PIECE);
        rc = n > 0 ? feed(s, piece, (size_t)n, e) : 0;
    } while (!rc && (n > 0 || (n < 0 && errno == EINTR)));
    free(piece);
    close(fd); /* ends the program if it is not at its end */
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!rc && (!WIFEXITED(status) || WEXITSTATUS(status)))
        return err_set(e, ERR_USAGE, "%s: damaged (%s could not unpack it)",
                       s->path, program);
    return rc;
}

int pack_stream_each(const char *path, const char *field,
                     int (*document)(void *ctx, const uint8_t *text, size_t n,
                                     int64_t offset, struct err *e),
                     void *ctx, struct err *e)
{
    struct splitter s = {.path = path,
                         .field = pack_is_json_lines(path) ? field : NULL,
                         .document = document,
                         .ctx = ctx,
                         .line = 1};
    struct file_map map;
    const char *program;
    size_t len;
    int rc;

    str_init(&s.text);
    str_init(&s.json);
    program = unpacker(path, &len);
    if (program) {
        rc = unpack(&s, program, e);
    } else {
        rc = file_map(&map, path, e);
        if (!rc) {
            rc = feed(&s, map.data, map.len, e);
            file_unmap(&map);
        }
    }
    if (!rc && s.text.len)
        rc = emit(&s, s.text.text, s.text.len, e);
    str_release(&s.text);
    str_release(&s.json);
    return rc;
}
