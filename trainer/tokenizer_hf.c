/* tokenizer_hf: tokenizer.json of Hugging Face; see tokenizer.h.
 *
 * Read are models of type BPE over the 256 bytes (GPT-2's alphabet, in which
 * each byte is a printable character), with the pre-tokenizers Split (parts
 * isolated), Digits, Punctuation and ByteLevel, and tokens added later.  What
 * would change the text (normalizers, a space in front) or the merges
 * (dropout, affixes) is refused by name.  How text is truncated, padded or
 * wrapped in special tokens does not concern a corpus and is ignored. */
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "trainer/tokenizer_impl.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)256 << 20)

/* GPT-2's own, which ByteLevel uses unless told otherwise. */
#define GPT2_PATTERN                                                           \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+"        \
    "|\\s+(?!\\S)|\\s+"

/* The byte of a character of GPT-2's alphabet; -1: none. */
static int byte_of(uint32_t c)
{
    static const uint8_t low[] = {0, 33, 127, 161, 173, 174};

    if ((c >= 33 && c <= 126) || (c >= 161 && c <= 172) ||
        (c >= 174 && c <= 255))
        return (int)c;
    if (c < 256 || c > 323)
        return -1;
    /* the bytes left out above, in order */
    c -= 256;
    for (size_t i = 0; i < sizeof low; i += 2) {
        uint32_t n = (uint32_t)low[i + 1] - low[i];
        if (c < n)
            return (int)(low[i] + c);
        c -= n;
    }
    return -1;
}

/* The next character of UTF-8 text that jansson has checked. */
static uint32_t next_char(const char **p)
{
    const uint8_t *s = (const uint8_t *)*p;
    int n = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    uint32_t c = n == 1 ? s[0] : s[0] & (0xffu >> (n + 1));

    for (int i = 1; i < n; i++)
        c = c << 6 | (s[i] & 0x3f);
    *p += n;
    return c;
}

/* The bytes of a token of the model; 0 when it is not of that alphabet. */
static size_t to_bytes(struct str *out, const char *text)
{
    str_clear(out);
    while (*text) {
        int byte = byte_of(next_char(&text));
        char c = (char)byte;

        if (byte < 0)
            return 0;
        str_add_n(out, &c, 1);
    }
    return out->len;
}

struct hf {
    const char *path;
    const json_t *root, *model, *vocab;
    struct token_table table;
    struct split *split;
    int byte_level;
};

static int no_support(const struct hf *h, const char *what, const char *name,
                      struct err *e)
{
    return err_set(e, ERR_USAGE, "%s: %s %.100s is not supported", h->path,
                   what, name);
}

static const char *type_of(const json_t *o)
{
    const char *type = json_string_value(json_object_get(o, "type"));

    return type ? type : "without a type";
}

static int is_set(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);

    return v && !json_is_null(v) && !json_is_false(v) &&
           !(json_is_string(v) && !json_string_length(v)) &&
           !(json_is_number(v) && json_number_value(v) == 0);
}

/* --- tokens */

static int read_vocab(struct hf *h, struct err *e)
{
    struct str bytes;
    const char *text;
    json_t *id;
    int rc = 0;

    str_init(&bytes);
    json_object_foreach((json_t *)(uintptr_t)h->vocab, text, id)
    {
        size_t n = to_bytes(&bytes, text);

        if (!json_is_integer(id))
            rc = err_set(e, ERR_USAGE, "%s: vocab: '%.40s': expected an id",
                         h->path, text);
        else
            rc = token_table_put(&h->table, json_integer_value(id),
                                 n ? bytes.text : text, n ? n : strlen(text),
                                 h->path, e);
        if (rc)
            break;
        if (!n)
            h->table.entry[json_integer_value(id)].special = 1;
    }
    str_release(&bytes);
    return rc;
}

static int read_added(struct hf *h, struct err *e)
{
    static const char *const flags[] = {"single_word", "lstrip", "rstrip"};
    const json_t *list = json_object_get(h->root, "added_tokens"), *a;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)list, i, a)
    {
        const json_t *content = json_object_get(a, "content");
        int64_t id = json_integer_value(json_object_get(a, "id"));
        int special = json_is_true(json_object_get(a, "special"));
        struct token_entry *t;

        if (!json_is_string(content) || !json_string_length(content))
            return err_set(e, ERR_USAGE,
                           "%s: added_tokens[%zu]: expected a content", h->path,
                           i);
        for (size_t k = 0; k < ARRAY_LEN(flags) && !special; k++)
            if (is_set(a, flags[k]))
                return no_support(h, "an added token with", flags[k], e);
        if (id >= 0 && (size_t)id < h->table.n) {
            free(h->table.entry[id].text); /* its true text is the content */
            h->table.entry[id] = (struct token_entry){0};
        }
        if (token_table_put(&h->table, id, json_string_value(content),
                            json_string_length(content), h->path, e))
            return -1;
        t = &h->table.entry[id];
        t->special = (uint8_t)special;
        t->added = !special;
        if (t->added)
            split_add_text(h->split, t->text, t->n, (int32_t)id);
    }
    return 0;
}

/* The id of a token of the model's vocabulary; -1. */
static int32_t id_of(const struct hf *h, const char *text)
{
    const json_t *id = json_object_get(h->vocab, text);

    return json_is_integer(id) ? (int32_t)json_integer_value(id) : -1;
}

static int read_merge(struct bpe_merge *m, const struct hf *h,
                      const json_t *entry, size_t i, struct err *e)
{
    const char *text = json_string_value(entry);
    const char *space = text ? strchr(text, ' ') : NULL;
    struct str left, right;
    int rc = 0;

    str_init(&left);
    str_init(&right);
    if (space) {
        str_add_n(&left, text, (size_t)(space - text));
        str_add(&right, space + 1);
    } else if (json_is_string(json_array_get(entry, 0)) &&
               json_is_string(json_array_get(entry, 1))) {
        str_add(&left, json_string_value(json_array_get(entry, 0)));
        str_add(&right, json_string_value(json_array_get(entry, 1)));
    }
    m->rank = (uint32_t)i;
    m->left = id_of(h, left.text);
    m->right = id_of(h, right.text);
    str_add(&left, right.text);
    m->made = id_of(h, left.text);
    if (m->left < 0 || m->right < 0 || m->made < 0)
        rc = err_set(e, ERR_USAGE,
                     "%s: merges[%zu]: expected two tokens of the vocabulary "
                     "that make a third",
                     h->path, i);
    str_release(&left);
    str_release(&right);
    return rc;
}

/* --- words */

static int add_split(struct hf *h, const json_t *o, struct err *e)
{
    const json_t *pattern = json_object_get(o, "pattern");
    const char *regex = json_string_value(json_object_get(pattern, "Regex"));
    const char *text = json_string_value(json_object_get(pattern, "String"));
    const char *behavior = json_string_value(json_object_get(o, "behavior"));
    int invert = json_is_true(json_object_get(o, "invert")), rc;
    struct str quoted;

    /* Removed and inverted: what matches is kept, and the patterns in use
     * match everything. */
    if (!behavior || (strcmp(behavior, "Isolated") &&
                      (strcmp(behavior, "Removed") || !invert)))
        return no_support(h, "Split with behavior", behavior ? behavior : "?",
                          e);
    if (regex)
        return split_add(h->split, regex, SPLIT_ONIG, e);
    if (!text || !*text)
        return no_support(h, "Split", "without a pattern", e);
    str_init(&quoted);
    for (; *text; text++)
        str_addf(&quoted, strchr("\\^$.[]|()?*+{}", *text) ? "\\%c" : "%c",
                 *text);
    rc = split_add(h->split, quoted.text, SPLIT_ONIG, e);
    str_release(&quoted);
    return rc;
}

static int add_stage(struct hf *h, const json_t *o, struct err *e)
{
    const char *type = type_of(o);
    const json_t *list, *each;
    size_t i;

    if (h->byte_level)
        return no_support(h, "a pre_tokenizer behind ByteLevel:", type, e);
    if (!strcmp(type, "Sequence")) {
        list = json_object_get(o, "pretokenizers");
        json_array_foreach((json_t *)(uintptr_t)list, i,
                           each) if (add_stage(h, each, e)) return -1;
        return 0;
    }
    if (!strcmp(type, "Split"))
        return add_split(h, o, e);
    if (!strcmp(type, "Digits"))
        return split_add(h->split,
                         is_set(o, "individual_digits") ? "\\p{N}" : "\\p{N}+",
                         SPLIT_ONIG, e);
    if (!strcmp(type, "Punctuation") &&
        !strcmp("Isolated",
                json_object_get(o, "behavior")
                    ? json_string_value(json_object_get(o, "behavior"))
                    : "Isolated"))
        return split_add(h->split, "[!-/:-@\\[-`{-~\\p{P}]", SPLIT_ONIG, e);
    if (strcmp(type, "ByteLevel"))
        return no_support(h, "pre_tokenizer", type, e);
    h->byte_level = 1;
    if (is_set(o, "add_prefix_space"))
        return no_support(h, "ByteLevel with", "add_prefix_space", e);
    if (json_is_false(json_object_get(o, "use_regex")))
        return 0;
    return split_add(h->split, GPT2_PATTERN, SPLIT_ONIG, e);
}

/* --- the whole */

static int check_model(const struct hf *h, struct err *e)
{
    static const char *const refused[] = {
        "dropout", "continuing_subword_prefix", "end_of_word_suffix",
        "byte_fallback"};
    const json_t *normalizer = json_object_get(h->root, "normalizer");

    if (strcmp(type_of(h->model), "BPE"))
        return no_support(h, "model", type_of(h->model), e);
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        if (is_set(h->model, refused[i]))
            return no_support(h, "BPE with", refused[i], e);
    if (!json_is_object(h->vocab))
        return err_set(e, ERR_USAGE, "%s: no vocab", h->path);
    if (json_is_object(normalizer) &&
        (strcmp(type_of(normalizer), "Sequence") ||
         json_array_size(json_object_get(normalizer, "normalizers"))))
        return err_set(e, ERR_USAGE,
                       "%s: normalizer %s is not supported: it would change "
                       "the text, and bits per byte with it",
                       h->path, type_of(normalizer));
    return 0;
}

static int build(struct tokenizer *t, struct hf *h, struct err *e)
{
    const json_t *merges = json_object_get(h->model, "merges");
    size_t n = json_array_size(merges), vocab = (size_t)t->info.vocab;
    struct bpe_merge *merge = xcalloc(n + 1, sizeof *merge);
    uint8_t *unmade = xcalloc(vocab, 1);
    int rc = 0;

    for (size_t i = 0; i < h->table.n; i++)
        unmade[i] = h->table.entry[i].special || h->table.entry[i].added;
    for (size_t i = 0; i < n && !rc; i++)
        rc = read_merge(&merge[i], h, json_array_get(merges, i), i, e);
    if (!rc)
        rc = bpe_create(&t->bpe, &t->texts, unmade, vocab, merge, n,
                        is_set(h->model, "ignore_merges"), h->path, e);
    free(merge);
    free(unmade);
    return rc;
}

static int open_root(struct tokenizer *t, struct hf *h, const char *mark,
                     struct err *e)
{
    const json_t *pre = json_object_get(h->root, "pre_tokenizer");

    h->model = json_object_get(h->root, "model");
    h->vocab = json_object_get(h->model, "vocab");
    if (check_model(h, e) || split_create(&t->split, e))
        return -1;
    h->split = t->split;
    if (read_vocab(h, e) || read_added(h, e))
        return -1;
    if (json_is_object(pre) && add_stage(h, pre, e))
        return -1;
    if (!h->byte_level)
        return err_set(e, ERR_USAGE,
                       "%s: no ByteLevel pre_tokenizer: only byte-level BPE is "
                       "supported",
                       h->path);
    if (tokenizer_set_mark(t, &h->table, mark, h->path, e))
        return -1;
    token_texts_init(&t->texts, &h->table, (size_t)t->info.vocab);
    return build(t, h, e);
}

int tokenizer_open_hf(struct tokenizer *t, const char *path, const char *mark,
                      struct err *e)
{
    struct hf h = {.path = path};
    json_error_t je;
    json_t *root;
    char *text;
    size_t len;
    int rc;

    if (file_read(&text, &len, path, FILE_MAX, e))
        return -1;
    root = json_loadb(text, len, 0, &je);
    free(text);
    if (!root)
        return err_set(e, ERR_USAGE, "%s:%d: %s", path, je.line, je.text);
    h.root = root;
    rc = open_root(t, &h, mark, e);
    token_table_release(&h.table);
    json_decref(root);
    return rc;
}
