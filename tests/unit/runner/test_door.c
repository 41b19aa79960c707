/* door: names of loopback, origins, secrets. */
#include "runner/door.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

/* The headers of a request that is made up. */
struct made_up {
    struct http_request q;
    const char *site, *mode, *origin, *cookie, *bearer;
};

static const char *header(const struct http_request *q, const char *name)
{
    const struct made_up *m = (const struct made_up *)q;

    return !strcmp(name, "Sec-Fetch-Site")   ? m->site
           : !strcmp(name, "Sec-Fetch-Mode") ? m->mode
           : !strcmp(name, "Origin")         ? m->origin
           : !strcmp(name, "Cookie")         ? m->cookie
           : !strcmp(name, "Authorization")  ? m->bearer
                                             : NULL;
}

static void only_loopback_is_a_host(void **state)
{
    static const char *const good[] = {"localhost", "localhost:80",
                                       "127.0.0.1:65535", "[::1]:8080"};
    static const char *const bad[] = {
        "",           "localhost.",         "localhost:",
        "evil",       "localhost:80x",      "localhost.evil:80",
        "127.0.0.11", "127.0.0.1:1@evil",   "LOCALHOST.evil",
        "localhost ", "localhost:12345678", "[::1",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(door_host(good[i]));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (door_host(bad[i]))
            fail_msg("'%s' was let in", bad[i]);
    assert_false(door_host(NULL));
}

static void other_sites_may_link_here_and_no_more(void **state)
{
    struct made_up m = {.q = {.header = header}};

    (void)state;
    assert_true(door_origin(&m.q)); /* curl */
    m.site = "same-origin";
    m.origin = "http://localhost:8080";
    assert_true(door_origin(&m.q));
    m.origin = "https://evil.example";
    assert_false(door_origin(&m.q));
    m.origin = "null";
    assert_false(door_origin(&m.q));
    m.origin = NULL;
    m.site = "cross-site";
    assert_false(door_origin(&m.q));
    m.site = "same-site"; /* another port of this machine */
    assert_false(door_origin(&m.q));
    m.mode = "navigate";
    assert_true(door_origin(&m.q));
}

static void secrets_are_new_and_compared_whole(void **state)
{
    struct door a = {.port = 8080}, b = {.port = 8080};
    struct made_up m = {.q = {.header = header}};
    char cookie[128], text[256];
    struct err e;

    (void)state;
    assert_int_equal(door_init(&a, &e), 0);
    assert_int_equal(door_init(&b, &e), 0);
    assert_int_equal(strlen(a.token), 32);
    assert_string_not_equal(a.token, b.token);
    assert_string_not_equal(a.token, a.session);
    assert_true(door_token(&a, a.token));
    assert_false(door_token(&a, b.token));
    assert_false(door_token(&a, NULL));
    assert_false(door_token(&a, ""));
    assert_false(door_token(&a, a.token + 1));
    assert_false(door_known(&a, &m.q));
    door_cookie(cookie, sizeof cookie, &a);
    *strchr(cookie, ';') = 0;
    snprintf(text, sizeof text, "x=1; %s; y=2", cookie);
    m.cookie = text;
    assert_true(door_known(&a, &m.q));
    assert_false(door_known(&b, &m.q));
    snprintf(text, sizeof text, "x%s", cookie);
    assert_false(door_known(&a, &m.q));
    snprintf(text, sizeof text, "%s0", cookie);
    assert_false(door_known(&a, &m.q));
    m.cookie = NULL;
    snprintf(text, sizeof text, "Bearer %s", a.token);
    m.bearer = text;
    assert_true(door_known(&a, &m.q));
    text[7] ^= 1;
    assert_false(door_known(&a, &m.q));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_loopback_is_a_host),
        cmocka_unit_test(other_sites_may_link_here_and_no_more),
        cmocka_unit_test(secrets_are_new_and_compared_whole),
    };

    return cmocka_run_group_tests_name("door", tests, NULL, NULL);
}
