/* proto: see proto.h. */
#include "runner/proto.h"

#include "base/file.h"
#include "base/mem.h"
#include "runner/affinity.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct head {
    uint32_t tag, size;
};

/* clang-format off */
static const struct {
    const char *name;
    size_t size;
} messages[PROTO_TAGS] = {
    [MSG_HELLO]  = {"hello",  sizeof(struct msg_hello)},
    [MSG_SIGNAL] = {"signal", sizeof(struct msg_signal)},
    [MSG_GONE]   = {"gone",   sizeof(struct msg_gone)},
    [MSG_DEVICE] = {"device", sizeof(struct msg_device)},
    [MSG_SETUP]  = {"setup",  sizeof(struct msg_setup)},
    [MSG_ASSIGN] = {"assign", sizeof(struct msg_assign)},
    [MSG_KILL]   = {"kill",   sizeof(struct msg_kill)},
    [MSG_PAUSE]  = {"pause",  sizeof(struct msg_kill)},
    [MSG_STOP]   = {"stop",   sizeof(struct msg_stop)},
    [MSG_BYE]    = {"bye",    sizeof(struct msg_bye)},
    [MSG_BEGIN]  = {"begin",  sizeof(struct msg_begin)},
    [MSG_STEPS]  = {"steps",  sizeof(struct msg_steps)},
    [MSG_EVAL]   = {"eval",   sizeof(struct msg_eval)},
    [MSG_POSITION] = {"position", sizeof(struct msg_position)},
    [MSG_SAVED]  = {"saved",  sizeof(struct msg_saved)},
    [MSG_END]    = {"end",    sizeof(struct msg_end)},
};
/* clang-format on */

size_t proto_size(int tag)
{
    return tag > 0 && tag < PROTO_TAGS ? messages[tag].size : 0;
}

const char *proto_name(int tag)
{
    return proto_size(tag) ? messages[tag].name : "unknown";
}

static int terminated(const char *text, size_t room)
{
    return memchr(text, '\0', room) != NULL;
}

static int choices_known(const int32_t how[DEVICE_CHOICES])
{
    for (int i = 0; i < DEVICE_CHOICES; i++)
        if (!device_choice_name((enum device_choice)i, how[i]))
            return 0;
    return 1;
}

static int check_content(int tag, const union proto_any *m)
{
    switch (tag) {
    case MSG_HELLO:
        return terminated(m->hello.host, PROTO_HOST) &&
               terminated(m->hello.commit, PROTO_HOST) && m->hello.slots > 0;
    case MSG_GONE:
        return terminated(m->gone.why, PROTO_TEXT);
    case MSG_DEVICE:
        for (int i = 0; i < PROTO_DEVICES; i++)
            if (!terminated(m->device.uuid[i], PROTO_UUID))
                return 0;
        return terminated(m->device.what, PROTO_HOST) &&
               terminated(m->device.why, PROTO_TEXT) &&
               (!m->device.found || m->device.n > 0);
    case MSG_SETUP:
        for (int i = 0; i < TRAIN_SETS; i++)
            if (!terminated(m->setup.valid[i], PROTO_PATH))
                return 0;
        return m->setup.study >= 0 && m->setup.study < STUDIES_MAX &&
               terminated(m->setup.train, PROTO_PATH) &&
               terminated(m->setup.checkpoints, PROTO_PATH) &&
               m->setup.bind >= AFFINITY_AUTO &&
               m->setup.bind <= AFFINITY_NUMA && m->setup.n_valid >= 0 &&
               m->setup.n_valid <= TRAIN_SETS && choices_known(m->setup.how) &&
               m->setup.device >= 0 && m->setup.device < DEVICE_KINDS;
    case MSG_ASSIGN:
        return terminated(m->assign.rendezvous, PROTO_NAME) &&
               m->assign.gang > 0 && m->assign.gang <= GANG_MAX &&
               m->assign.member >= 0 && m->assign.member < m->assign.gang &&
               m->assign.study >= 0 && m->assign.study < STUDIES_MAX &&
               m->assign.n_trunk >= 0 && m->assign.n_trunk <= PROTO_TRUNKS &&
               m->assign.slot >= 0 && m->assign.run > 0 &&
               m->assign.device >= 0 && m->assign.device < DEVICE_KINDS &&
               m->assign.place >= 0 && m->assign.attempt > 0;
    case MSG_STEPS:
        return m->steps.n > 0 && m->steps.n <= PROTO_STEPS;
    case MSG_EVAL:
        return m->eval.eval.set >= 0 && m->eval.eval.set < TRAIN_SETS;
    case MSG_POSITION:
        return m->position.position.set >= 0 &&
               m->position.position.set < TRAIN_SETS;
    case MSG_END:
        return terminated(m->end.text, PROTO_TEXT) &&
               terminated(m->end.result.text, sizeof m->end.result.text) &&
               m->end.result.end >= TRAIN_DONE &&
               m->end.result.end <= TRAIN_NO_MEMORY;
    default:
        return 1;
    }
}

int proto_check(int tag, const void *msg, size_t len, struct err *e)
{
    union proto_any any;

    if (!proto_size(tag))
        return err_set(e, ERR_ENV, "unknown message %d", tag);
    if (len != proto_size(tag))
        return err_set(e, ERR_ENV, "message '%s' of %zu bytes, expected %zu",
                       proto_name(tag), len, proto_size(tag));
    memcpy(&any, msg, len);
    if (!check_content(tag, &any))
        return err_set(e, ERR_ENV, "message '%s' makes no sense",
                       proto_name(tag));
    return 0;
}

void proto_subject(int64_t *run, int64_t *attempt, int tag, const void *msg)
{
    int64_t both[2];

    /* The reports of a child begin with these two, each of them. */
    BUG_ON(tag < MSG_BEGIN || tag > MSG_END);
    memcpy(both, msg, sizeof both);
    *run = both[0];
    *attempt = both[1];
}

int proto_write(int fd, int tag, const void *msg, struct err *e)
{
    char frame[sizeof(struct head) + sizeof(union proto_any)];
    size_t size = proto_size(tag);
    struct head head = {(uint32_t)tag, (uint32_t)size};

    BUG_ON(!size);
    memcpy(frame, &head, sizeof head);
    memcpy(frame + sizeof head, msg, size);
    return file_write_all(fd, frame, sizeof head + size, e);
}

/* A whole frame at the front of the buffer: take it. */
static int take(struct proto_reader *r, int *tag, union proto_any *msg,
                struct err *e)
{
    struct head head;
    size_t whole;

    if (r->len < sizeof head)
        return 0;
    memcpy(&head, r->buf, sizeof head);
    if (head.tag >= PROTO_TAGS || head.size != proto_size((int)head.tag) ||
        !head.size)
        return err_set(e, ERR_ENV, "not a frame of ours");
    whole = sizeof head + head.size;
    if (r->len < whole)
        return 0;
    if (proto_check((int)head.tag, r->buf + sizeof head, head.size, e))
        return -1;
    *tag = (int)head.tag;
    memcpy(msg, r->buf + sizeof head, head.size);
    r->len -= whole;
    memmove(r->buf, r->buf + whole, r->len);
    return 1;
}

int proto_read(struct proto_reader *r, int fd, int *tag, union proto_any *msg,
               struct err *e)
{
    for (;;) {
        int got = take(r, tag, msg, e);
        ssize_t n;

        if (got)
            return got;
        n = read(fd, r->buf + r->len, sizeof r->buf - r->len);
        if (n == 0)
            return err_set(e, ERR_ENV, "closed");
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return 0;
        if (n < 0)
            return err_errno(e, "pipe");
        r->len += (size_t)n;
    }
}
