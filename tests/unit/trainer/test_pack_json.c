/* pack_json: usual lines are read without the library; whatever is read is what
 * the library reads, and nothing that it refuses. */
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "trainer/pack_json.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const usual[] = {
    "{\"text\": \"plain\"}",
    "{\"text\":\"\"}",
    " { \"id\" : 12, \"text\" : \"a\\n\\t\\\"b\\\\\\/\\b\\f\\r\" , \"z\": null "
    "}\r",
    "{\"meta\": {\"url\": \"http://x\", \"n\": [1, -2.5, [], {}]}, \"text\": "
    "\"t\"}",
    "{\"text\": \"\\u4e2d\\u00e9\\u0041\\uD83D\\ude00!\", \"ok\": [true, "
    "false]}",
    "{\"text\": \"\xe4\xb8\xad\xe6\x96\x87 \xf0\x9f\x98\x80 \x7f\"}",
    "{\"a\": \"text\", \"text\": \"0123456789 0123456789 0123456789\"}"};

/* What the library says; NULL: not that. */
static json_t *by_library(const char *line, size_t n)
{
    json_t *root = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);

    if (root && json_is_string(json_object_get(root, "text")))
        return root;
    json_decref(root);
    return NULL;
}

/* 1: read, and the same. */
static int agrees(struct str *text, const char *line, size_t n)
{
    const json_t *value;
    json_t *root;

    if (!pack_json_text(text, line, n, "text"))
        return 0;
    root = by_library(line, n);
    if (!root)
        fail_msg("the library refuses: %.*s", (int)n, line);
    value = json_object_get(root, "text");
    assert_int_equal(text->len, json_string_length(value));
    assert_memory_equal(text->text, json_string_value(value), text->len);
    json_decref(root);
    return 1;
}

static void usual_lines_are_read(void **state)
{
    struct str text;

    (void)state;
    str_init(&text);
    for (size_t k = 0; k < ARRAY_LEN(usual); k++)
        if (!agrees(&text, usual[k], strlen(usual[k])))
            fail_msg("%s", usual[k]);
    str_release(&text);
}

static void others_are_left_to_the_library(void **state)
{
    static const char *const other[] = {"{\"text\": \"a\\u0000b\"}",
                                        "{\"text\": \"\\ud83d\"}",
                                        "{\"text\": \"\\ude00\"}",
                                        "{\"text\": \"\xff\"}",
                                        "{\"text\": \"a\tb\"}",
                                        "{\"text\": \"a\", \"text\": \"b\"}",
                                        "{\"text\": \"a\"} x",
                                        "{\"text\": \"a\", }",
                                        "{\"text\": \"a\", \"n\": 01}",
                                        "{\"text\": \"a\", \"n\": 1.}",
                                        "{\"text\": 3}",
                                        "{\"txt\": \"a\"}",
                                        "[\"text\"]",
                                        "{\"o\": {\"text\": \"a\"}}",
                                        "{\"text\": \"a",
                                        "{\"text\": \"a\", \"n\": nul}",
                                        "",
                                        "{\"text\": \"\\x\"}"};
    struct str text;

    (void)state;
    str_init(&text);
    for (size_t k = 0; k < ARRAY_LEN(other); k++)
        if (pack_json_text(&text, other[k], strlen(other[k]), "text"))
            fail_msg("%s", other[k]);
    str_release(&text);
}

/* Usual lines of which bytes are changed, cut or doubled. */
static void damaged_lines_are_never_misread(void **state)
{
    static const char bytes[] = "\"\\{}[]:,u0dD8 \n\x1f\xc3\xe4\xff"
                                "ea1-.";
    char line[160];
    struct str text;
    uint64_t k = 0;
    int read = 0;

    (void)state;
    str_init(&text);
    for (int trial = 0; trial < 60000; trial++) {
        const char *from = usual[trial % (int)ARRAY_LEN(usual)];
        size_t n = strlen(from), at;

        memcpy(line, from, n);
        for (uint64_t edits = rng_below(1, RNG_TEST, k++, 3); edits; edits--) {
            at = rng_below(1, RNG_TEST, k++, n);
            if (rng_below(1, RNG_TEST, k++, 3)) {
                line[at] = bytes[rng_below(1, RNG_TEST, k++, sizeof bytes - 1)];
            } else {
                memmove(line + at, line + at + 1, n - at - 1);
                n--;
            }
        }
        read += agrees(&text, line, n);
    }
    assert_true(read > 20000 && read < 50000);
    str_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usual_lines_are_read),
        cmocka_unit_test(others_are_left_to_the_library),
        cmocka_unit_test(damaged_lines_are_never_misread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
