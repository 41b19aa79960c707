/* serve_fit: who asks never waits longer than he wants to. */
#include "runner/serve_fit.h"

#include "../db/lab.h"

static struct err err;

static int get(struct str *out, struct serve_fit *f, const struct lab *l,
               const char *mark, const char *name, double wait)
{
    struct serve_want want = {l->study, name, mark, wait};
    double seconds = -1;
    int rc;

    str_clear(out);
    rc = serve_fit_get(out, &seconds, f, &want, SERVE_LAWS, &err);
    assert_true(rc != 1 || seconds >= 0);
    return rc;
}

static void a_fit_is_made_once_for_a_state(void **state)
{
    struct lab *l = *state;
    struct serve_fit *f = serve_fit_new(l->path);
    struct str out, first;

    str_init(&out);
    str_init(&first);
    if (get(&out, f, l, "1", NULL, 0) == 1) /* at once, without anything */
        assert_int_equal(out.len, 0);
    assert_int_equal(get(&first, f, l, "1", NULL, 60), 0);
    assert_non_null(strstr(first.text, "\"refused\":\"no finished runs"));
    assert_int_equal(get(&out, f, l, "1", NULL, 0), 0); /* kept */
    assert_string_equal(out.text, first.text);
    /* while that of another state is made there is the old one */
    get(&out, f, l, "2", NULL, 0);
    assert_string_equal(out.text, first.text);
    assert_int_equal(get(&out, f, l, "2", NULL, 60), 0);
    str_release(&first);
    str_release(&out);
    serve_fit_free(f);
}

static void what_fails_is_tried_again(void **state)
{
    struct lab *l = *state;
    struct serve_fit *f = serve_fit_new(l->path);
    struct str out;

    str_init(&out);
    for (int i = 0; i < 2; i++)
        refused(get(&out, f, l, "1", "nobody's", 60), ERR_USAGE, "nobody's");
    assert_int_equal(out.len, 0);
    assert_int_equal(get(&out, f, l, "1", NULL, 60), 0);
    str_release(&out);
    serve_fit_free(f);
}

static void the_end_does_not_wait_for_a_fit(void **state)
{
    struct lab *l = *state;
    struct serve_fit *f = serve_fit_new(l->path);
    struct str out;

    str_init(&out);
    get(&out, f, l, "1", NULL, 0);
    serve_fit_free(f);
    str_release(&out);
}

#define STUDY(f) cmocka_unit_test_setup_teardown(f, lab_study, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STUDY(a_fit_is_made_once_for_a_state),
        STUDY(what_fails_is_tried_again),
        STUDY(the_end_does_not_wait_for_a_fit),
    };

    return cmocka_run_group_tests_name("serve_fit", tests, NULL, NULL);
}
