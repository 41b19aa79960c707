/* shard_manifest: see shard_manifest.h. */
#include "trainer/shard_manifest.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "trainer/shard_format.h"

#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACKED "loglog-packed"
#define LINKED "loglog-linked"
#define VERSION 1
#define COUNT_MAX (INT64_C(1) << 48)
#define SHARDS_MAX 1000000
#define VOCAB_MAX (INT64_C(1) << 31)
#define VOCAB_PACKED (INT64_C(1) << 24)

void manifest_hash(struct manifest *m)
{
    struct str lines;

    str_init(&lines);
    for (int64_t i = 0; i < m->info.shards; i++) {
        const char *slash = strrchr(m->shard[i].file, '/');
        str_addf(&lines, "%s  %s\n", m->shard[i].sha256,
                 slash ? slash + 1 : m->shard[i].file);
    }
    hash_sha256(m->info.sha256, lines.text, lines.len);
    str_release(&lines);
}

/* A count of object `o`, 0 .. COUNT_MAX. */
static int get_count(int64_t *v, const json_t *o, const char *key,
                     const char *path, struct err *e)
{
    const json_t *j = json_object_get(o, key);

    if (!json_is_integer(j) || json_integer_value(j) < 0 ||
        json_integer_value(j) > COUNT_MAX)
        return err_set(e, ERR_USAGE, "%s: \"%s\": expected a count", path, key);
    *v = json_integer_value(j);
    return 0;
}

static int get_text(char *out, size_t size, const json_t *o, const char *key,
                    const char *path, struct err *e)
{
    const json_t *j = json_object_get(o, key);

    if (!json_is_string(j) || json_string_length(j) >= size ||
        strlen(json_string_value(j)) != json_string_length(j))
        return err_set(e, ERR_USAGE,
                       "%s: \"%s\": expected a text of less than %zu bytes",
                       path, key, size);
    memcpy(out, json_string_value(j), json_string_length(j) + 1);
    return 0;
}

static int get_sha(char out[65], const json_t *o, const char *path,
                   struct err *e)
{
    if (get_text(out, 65, o, "sha256", path, e))
        return -1;
    if (strspn(out, "0123456789abcdef") != 64)
        return err_set(e, ERR_USAGE, "%s: \"sha256\": expected 64 hex digits",
                       path);
    return 0;
}

static int get_shard(struct manifest_shard *s, const json_t *o, int linked,
                     const char *path, struct err *e)
{
    char file[PATH_MAX];

    if (get_text(file, sizeof file, o, "file", path, e) ||
        get_count(&s->size, o, "size", path, e) ||
        get_count(&s->documents, o, "documents", path, e) ||
        get_count(&s->tokens, o, "tokens", path, e) ||
        get_count(&s->bytes, o, "bytes", path, e) ||
        get_sha(s->sha256, o, path, e))
        return -1;
    if (linked ? file[0] != '/'
               : (!file[0] || file[0] == '.' || strchr(file, '/')))
        return err_set(e, ERR_USAGE, "%s: shard file '%.200s': expected %s",
                       path, file,
                       linked ? "an absolute path" : "a plain name");
    if (!s->tokens)
        return err_set(e, ERR_USAGE, "%s: shard '%.200s' is empty", path, file);
    s->file = xstrdup(file);
    return 0;
}

static int check_totals(struct manifest *m, const char *path, struct err *e)
{
    int64_t tokens = 0, documents = 0, bytes = 0;
    char sha256[65];

    for (int64_t i = 0; i < m->info.shards; i++) {
        tokens += m->shard[i].tokens;
        documents += m->shard[i].documents;
        bytes += m->shard[i].bytes;
    }
    if (tokens != m->info.tokens || documents != m->info.documents ||
        bytes != m->info.bytes)
        return err_set(e, ERR_USAGE,
                       "%s: the shards hold %" PRId64 " tokens, %" PRId64
                       " documents, %" PRId64
                       " bytes, which is not what the whole states",
                       path, tokens, documents, bytes);
    memcpy(sha256, m->info.sha256, sizeof sha256);
    manifest_hash(m);
    if (strcmp(sha256, m->info.sha256))
        return err_set(e, ERR_USAGE,
                       "%s: \"sha256\" is not that of the shards' hashes",
                       path);
    return 0;
}

static int get_shards(struct manifest *m, const json_t *root, const char *path,
                      struct err *e)
{
    const json_t *list = json_object_get(root, "shards");
    size_t n = json_array_size(list);

    if (!json_is_array(list) || n < 1 || n > SHARDS_MAX)
        return err_set(e, ERR_USAGE, "%s: \"shards\": expected a list", path);
    m->info.shards = (int64_t)n;
    m->shard = xcalloc(n, sizeof *m->shard);
    for (size_t i = 0; i < n; i++)
        if (get_shard(&m->shard[i], json_array_get(list, i),
                      m->layout[0] != '\0', path, e))
            return -1;
    return 0;
}

/* What kind of set it is: the format, and what only one kind has. */
static int get_kind(struct manifest *m, const json_t *root, const char *path,
                    struct err *e)
{
    char format[32];
    int64_t version = 0;

    if (get_text(format, sizeof format, root, "format", path, e) ||
        get_count(&version, root, "version", path, e) ||
        get_text(m->tokenizer, sizeof m->tokenizer, root, "tokenizer", path,
                 e) ||
        get_count(&m->info.vocab, root, "vocab", path, e))
        return -1;
    if ((strcmp(format, PACKED) && strcmp(format, LINKED)) ||
        version != VERSION)
        return err_set(e, ERR_USAGE,
                       "%s: format '%s' version %" PRId64 ", expected '" PACKED
                       "' or '" LINKED "' version %d",
                       path, format, version, VERSION);
    m->token_bytes = json_is_true(json_object_get(root, "token_bytes"));
    if (!strcmp(format, LINKED)) {
        if (get_text(m->layout, sizeof m->layout, root, "layout", path, e))
            return -1;
        if (m->info.vocab < 1 || m->info.vocab > VOCAB_MAX || !m->layout[0])
            return err_set(e, ERR_USAGE,
                           "%s: vocab %" PRId64 " or layout '%s' impossible",
                           path, m->info.vocab, m->layout);
        return 0;
    }
    if (m->token_bytes && get_count(&m->mark, root, "mark", path, e))
        return -1;
    if (m->token_bytes
            ? m->info.vocab > VOCAB_PACKED || m->mark >= m->info.vocab
            : strcmp(m->tokenizer, SHARD_TOKENIZER) || m->info.vocab != 256)
        return err_set(e, ERR_USAGE,
                       "%s: tokenizer '%s' with vocab %" PRId64
                       ", expected 'bytes' with 256, or \"token_bytes\" and a "
                       "\"mark\" below the vocabulary",
                       path, m->tokenizer, m->info.vocab);
    return 0;
}

static int get_root(struct manifest *m, const json_t *root, const char *path,
                    struct err *e)
{
    if (get_kind(m, root, path, e) ||
        get_count(&m->info.documents, root, "documents", path, e) ||
        get_count(&m->info.tokens, root, "tokens", path, e) ||
        get_count(&m->info.bytes, root, "bytes", path, e) ||
        get_count(&m->info.distinct, root, "distinct", path, e) ||
        get_sha(m->info.sha256, root, path, e) ||
        get_shards(m, root, path, e) || check_totals(m, path, e))
        return -1;
    if (json_object_get(root, "source"))
        m->source = json_dumps(json_object_get(root, "source"),
                               JSON_INDENT(2) | JSON_ENCODE_ANY);
    return 0;
}

int manifest_read(struct manifest *m, const char *dir, struct err *e)
{
    char path[PATH_MAX], *text;
    json_error_t je;
    json_t *root;
    size_t len;
    int rc;

    memset(m, 0, sizeof *m);
    if (snprintf(path, sizeof path, "%s/" SHARD_MANIFEST, dir) >=
        (int)sizeof path)
        return err_set(e, ERR_USAGE, "%s: path too long", dir);
    if (file_read(&text, &len, path, SHARD_MANIFEST_MAX, e))
        return -1;
    root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &je);
    free(text);
    if (!root)
        return err_set(e, ERR_USAGE, "%s:%d: %s", path, je.line, je.text);
    rc = get_root(m, root, path, e);
    json_decref(root);
    if (rc)
        manifest_release(m);
    return rc;
}

void manifest_release(struct manifest *m)
{
    for (int64_t i = 0; m->shard && i < m->info.shards; i++)
        free(m->shard[i].file);
    free(m->shard);
    free(m->source);
    memset(m, 0, sizeof *m);
}

static void print_counts(struct str *out, int64_t documents, int64_t tokens,
                         int64_t bytes)
{
    str_addf(out,
             "\"documents\": %" PRId64 ", \"tokens\": %" PRId64
             ", \"bytes\": %" PRId64,
             documents, tokens, bytes);
}

/* A text as JSON; a path that is not UTF-8 cannot be one (see data link). */
static void print_text(struct str *out, const char *text)
{
    json_t *j = json_string(text);
    char *quoted = j ? json_dumps(j, JSON_ENCODE_ANY) : NULL;

    BUG_ON(!quoted);
    str_add(out, quoted);
    free(quoted);
    json_decref(j);
}

static void print_shard(struct str *out, const struct manifest_shard *s)
{
    str_add(out, "\n    {\"file\": ");
    print_text(out, s->file);
    str_addf(out, ", \"size\": %" PRId64 ", ", s->size);
    print_counts(out, s->documents, s->tokens, s->bytes);
    str_addf(out, ",\n     \"sha256\": \"%s\"}", s->sha256);
}

void manifest_print(struct str *out, const struct manifest *m)
{
    const struct shard_info *i = &m->info;

    str_addf(out, "{\n  \"format\": \"%s\", \"version\": %d,\n",
             m->layout[0] ? LINKED : PACKED, VERSION);
    if (m->layout[0])
        str_addf(out, "  \"layout\": \"%s\", \"token_bytes\": %s,\n", m->layout,
                 m->token_bytes ? "true" : "false");
    else if (m->token_bytes)
        str_addf(out, "  \"token_bytes\": true, \"mark\": %" PRId64 ",\n",
                 m->mark);
    str_add(out, "  \"tokenizer\": ");
    print_text(out, m->tokenizer);
    str_addf(out, ", \"vocab\": %" PRId64 ",\n  ", i->vocab);
    print_counts(out, i->documents, i->tokens, i->bytes);
    str_addf(out,
             ",\n  \"distinct\": %" PRId64 ",\n  \"sha256\": \"%s\",\n"
             "  \"shards\": [",
             i->distinct, i->sha256);
    for (int64_t k = 0; k < i->shards; k++) {
        str_add(out, k ? "," : "");
        print_shard(out, &m->shard[k]);
    }
    str_addf(out, "\n  ]%s%s\n}\n", m->source ? ",\n  \"source\": " : "",
             m->source ? m->source : "");
}
