/* Messages: what is written is read back, piece by piece or at once; what is
 * no message of ours is refused. */
#include "runner/proto.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct msg_end an_end(void)
{
    struct msg_end m;

    memset(&m, 0, sizeof m);
    m.run = 42;
    m.attempt = 3;
    m.slot = 1;
    m.rc = -1;
    m.err_class = ERR_ENV;
    strncpy(m.text, "disk full", sizeof m.text - 1);
    m.result.end = TRAIN_STOPPED;
    m.result.loss = 1.25;
    return m;
}

static void what_is_written_is_read_back(void **state)
{
    struct msg_end end = an_end();
    struct msg_begin begin = {42, 3, 7};
    struct proto_reader r = {0};
    union proto_any got;
    int fd[2], tag;
    struct err e;

    (void)state;
    assert_int_equal(pipe(fd), 0);
    assert_int_equal(proto_write(fd[1], MSG_BEGIN, &begin, &e), 0);
    assert_int_equal(proto_write(fd[1], MSG_END, &end, &e), 0);
    assert_int_equal(proto_read(&r, fd[0], &tag, &got, &e), 1);
    assert_int_equal(tag, MSG_BEGIN);
    assert_memory_equal(&got, &begin, sizeof begin);
    assert_int_equal(proto_read(&r, fd[0], &tag, &got, &e), 1);
    assert_int_equal(tag, MSG_END);
    assert_memory_equal(&got, &end, sizeof end);
    close(fd[1]);
    assert_int_equal(proto_read(&r, fd[0], &tag, &got, &e), -1);
    assert_string_equal(e.text, "closed");
    close(fd[0]);
}

/* A frame that arrives byte by byte is one message, at its last byte. */
static void a_frame_may_arrive_in_pieces(void **state)
{
    struct msg_saved saved = {1, 2, 3, 4.5};
    struct proto_reader r = {0};
    char frame[256];
    union proto_any got;
    int fd[2], tag;
    ssize_t len;
    struct err e;

    (void)state;
    assert_int_equal(pipe(fd), 0);
    assert_int_equal(proto_write(fd[1], MSG_SAVED, &saved, &e), 0);
    len = read(fd[0], frame, sizeof frame);
    close(fd[0]);
    close(fd[1]);
    assert_int_equal(pipe2(fd, 04000 /* O_NONBLOCK */), 0);
    for (ssize_t i = 0; i < len; i++) {
        assert_int_equal(proto_read(&r, fd[0], &tag, &got, &e), 0);
        assert_int_equal(write(fd[1], frame + i, 1), 1);
    }
    assert_int_equal(proto_read(&r, fd[0], &tag, &got, &e), 1);
    assert_memory_equal(&got, &saved, sizeof saved);
    close(fd[0]);
    close(fd[1]);
}

static void noise_on_a_pipe_is_refused(void **state)
{
    static const char *const noise[] = {"Segmentation fault\n",
                                        "\x01\x00\x00\x00\xff\xff\xff\xff",
                                        "\x00\x00\x00\x00\x00\x00\x00\x00"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(noise); i++) {
        struct proto_reader r = {0};
        union proto_any got;
        int fd[2], tag;
        struct err e;

        assert_int_equal(pipe(fd), 0);
        assert_int_equal(write(fd[1], noise[i], 8), 8);
        assert_int_equal(proto_read(&r, fd[0], &tag, &got, &e), -1);
        assert_string_equal(e.text, "not a frame of ours");
        close(fd[0]);
        close(fd[1]);
    }
}

/* Each of these is right but for one thing. */
static void messages_that_make_no_sense_are_refused(void **state)
{
    union proto_any good[PROTO_TAGS], bad;
    struct err e;

    (void)state;
    memset(good, 0, sizeof good);
    good[MSG_HELLO].hello.slots = 1;
    good[MSG_ASSIGN].assign.gang = 2;
    good[MSG_ASSIGN].assign.run = good[MSG_ASSIGN].assign.attempt = 1;
    good[MSG_STEPS].steps.n = 1;
    for (int tag = 1; tag < PROTO_TAGS; tag++) {
        assert_int_equal(proto_check(tag, &good[tag], proto_size(tag), &e), 0);
        assert_int_equal(proto_check(tag, &good[tag], proto_size(tag) - 1, &e),
                         -1);
    }
#define REFUSED(tag, change)                                                   \
    do {                                                                       \
        bad = good[tag];                                                       \
        change;                                                                \
        assert_int_equal(proto_check(tag, &bad, proto_size(tag), &e), -1);     \
    } while (0)
    REFUSED(MSG_HELLO, bad.hello.slots = 0);
    REFUSED(MSG_HELLO, memset(bad.hello.host, 'x', PROTO_HOST));
    REFUSED(MSG_GONE, memset(bad.gone.why, 'x', PROTO_TEXT));
    REFUSED(MSG_SETUP, bad.setup.n_valid = TRAIN_SETS + 1);
    REFUSED(MSG_SETUP, memset(bad.setup.valid[1], 'x', PROTO_PATH));
    REFUSED(MSG_ASSIGN, bad.assign.member = 2);
    REFUSED(MSG_ASSIGN, bad.assign.gang = GANG_MAX + 1);
    REFUSED(MSG_ASSIGN, bad.assign.run = 0);
    REFUSED(MSG_STEPS, bad.steps.n = PROTO_STEPS + 1);
    REFUSED(MSG_EVAL, bad.eval.eval.set = TRAIN_SETS);
    REFUSED(MSG_POSITION, bad.position.position.set = -1);
    REFUSED(MSG_END, bad.end.result.end = (enum train_end)7);
    REFUSED(MSG_END, memset(bad.end.text, 'x', PROTO_TEXT));
    assert_int_equal(proto_check(PROTO_TAGS, &good, 8, &e), -1);
    assert_int_equal(proto_check(0, &good, 0, &e), -1);
}

static void every_report_says_of_which_attempt_it_is(void **state)
{
    (void)state;
    for (int tag = MSG_BEGIN; tag <= MSG_END; tag++) {
        union proto_any m;
        int64_t run, attempt;

        memset(&m, 0, sizeof m);
        switch (tag) {
        case MSG_BEGIN:
            m.begin = (struct msg_begin){11, 5, 0};
            break;
        case MSG_STEPS:
            m.steps.run = 11;
            m.steps.attempt = 5;
            break;
        case MSG_EVAL:
            m.eval.run = 11;
            m.eval.attempt = 5;
            break;
        case MSG_POSITION:
            m.position.run = 11;
            m.position.attempt = 5;
            break;
        case MSG_SAVED:
            m.saved = (struct msg_saved){11, 5, 0, 0};
            break;
        default:
            m.end.run = 11;
            m.end.attempt = 5;
        }
        proto_subject(&run, &attempt, tag, &m);
        assert_int_equal(run, 11);
        assert_int_equal(attempt, 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_frame_may_arrive_in_pieces),
        cmocka_unit_test(noise_on_a_pipe_is_refused),
        cmocka_unit_test(messages_that_make_no_sense_are_refused),
        cmocka_unit_test(every_report_says_of_which_attempt_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
