/* A message is one line on stderr, by level and by rank. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What `say` writes to stderr. */
static const char *said(void (*say)(void))
{
    static char text[4096];
    int fd[2], was = dup(STDERR_FILENO);
    ssize_t n;

    assert_int_equal(pipe(fd), 0);
    dup2(fd[1], STDERR_FILENO);
    close(fd[1]);
    say();
    dup2(was, STDERR_FILENO);
    close(was);
    n = read(fd[0], text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    close(fd[0]);
    return text;
}

static void everything(void)
{
    log_error("e%d", 1);
    log_warn("w");
    log_info("i");
    log_debug("d");
    log0_warn("w0");
    log0_info("i0");
}

static void lines_follow_level_rank_and_tag(void **state)
{
    static const struct {
        enum log_level level;
        int rank;
        const char *tag, *text;
    } t[] = {
        {LOG_ERROR, -1, NULL, "loglog: error: e1\n"},
        {LOG_INFO, -1, NULL,
         "loglog: error: e1\nloglog: warn: w\nloglog: i\nloglog: warn: w0\n"
         "loglog: i0\n"},
        {LOG_DEBUG, 0, NULL,
         "loglog: error: e1\nloglog: warn: w\nloglog: i\nloglog: debug: d\n"
         "loglog: warn: w0\nloglog: i0\n"},
        {LOG_WARN, 3, "run 12/a2",
         "loglog[r3] run 12/a2: error: e1\nloglog[r3] run 12/a2: warn: w\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        log_init(t[i].level, t[i].rank, t[i].tag);
        assert_string_equal(said(everything), t[i].text);
        assert_int_equal(log_level(), t[i].level);
    }
    log_init(LOG_INFO, -1, NULL);
}

static void long_line(void)
{
    char text[3000];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    log_info("%s", text);
}

static void a_long_line_is_cut_and_ends(void **state)
{
    const char *text;

    (void)state;
    text = said(long_line);
    assert_true(strlen(text) <= 1024);
    assert_int_equal(text[strlen(text) - 1], '\n');
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void levels_have_names(void **state)
{
    (void)state;
    assert_int_equal(log_level_parse("error"), LOG_ERROR);
    assert_int_equal(log_level_parse("debug"), LOG_DEBUG);
    assert_int_equal(log_level_parse("loud"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_follow_level_rank_and_tag),
        cmocka_unit_test(a_long_line_is_cut_and_ends),
        cmocka_unit_test(levels_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
