/* proto: what coordinator, supervisors and children say to each other.
 *
 *   coordinator (rank 0) <== net ==> supervisor (every rank) <== pipes ==>
 * child
 *
 * Every message is one fixed struct; its tag is the tag on the wire and the
 * head of its frame on a pipe.  A child's reports pass through its supervisor
 * unchanged.  Each report carries run and attempt: one that is not the run's
 * current attempt is refused by the coordinator (a fence against the dead). */
#ifndef LOGLOG_RUNNER_PROTO_H
#define LOGLOG_RUNNER_PROTO_H

#include "base/err.h"
#include "sweep/spec.h"
#include "trainer/train.h"

#include <stddef.h>
#include <stdint.h>

#define PROTO_MAGIC 0x676f6c676f6cu /* also shows another byte order */
#define PROTO_VERSION 8             /* +1 whenever a struct below changes */

enum proto_tag {
    /* supervisor -> coordinator */
    MSG_HELLO = 1, /* first: who and where I am */
    MSG_SIGNAL,    /* a signal arrived at my process */
    MSG_GONE,      /* a child died in the middle of a run */
    MSG_DEVICE,    /* what I found to train on; once, if MSG_SETUP asks */
    /* coordinator -> supervisor -> child */
    MSG_SETUP,  /* once a study: what all its runs share */
    MSG_ASSIGN, /* be this member of this attempt of this run */
    /* coordinator -> supervisor */
    MSG_KILL,  /* end that attempt at once */
    MSG_PAUSE, /* that attempt: checkpoint and end */
    MSG_STOP,  /* every child: checkpoint and end */
    MSG_BYE,   /* let the children go, leave with this exit code */
    /* child -> supervisor -> coordinator */
    MSG_BEGIN,    /* the run begins, or goes on from a checkpoint */
    MSG_STEPS,    /* steps finished, oldest first */
    MSG_EVAL,     /* one evaluation */
    MSG_POSITION, /* the last one of a set, at some positions */
    MSG_SAVED,    /* a checkpoint is on disk */
    MSG_END,      /* this member is through */
    PROTO_TAGS
};

#define PROTO_TEXT 256
#define PROTO_HOST 64
#define PROTO_PATH 1024
#define PROTO_NAME 128   /* rendezvous */
#define PROTO_STEPS 64   /* most steps in one message */
#define PROTO_TRUNKS 64  /* most trunks that one run leaves */
#define PROTO_DEVICES 16 /* most devices of a node that are told apart */
#define PROTO_UUID 40
#define GANG_MAX 64    /* most members of a run */
#define STUDIES_MAX 16 /* most studies of one job */

struct msg_hello {
    uint64_t magic;
    int32_t version;
    int32_t spec_size; /* sizeof(struct run_spec) */
    int32_t slots;     /* children this supervisor will run at once */
    int32_t cpus;      /* cores that it may use ... */
    int32_t cores;     /* ... of so many on its node */
    int32_t pad;
    int64_t pid;
    double peak[2]; /* flops a second of a core, by enum dtype */
    uint64_t node;  /* equal on ranks that share memory */
    char host[PROTO_HOST];
    char commit[PROTO_HOST]; /* what it was built from */
};

struct msg_signal {
    int32_t signo;
};

struct msg_gone {
    int32_t slot; /* of that supervisor */
    int32_t member;
    int64_t run, attempt;
    char why[PROTO_TEXT]; /* "killed by signal 11 (Segmentation fault)" */
};

struct msg_device {
    int32_t found; /* 0: none, and why */
    int32_t n;     /* devices that this rank sees */
    char uuid[PROTO_DEVICES][PROTO_UUID];
    char what[PROTO_HOST]; /* name of the first */
    char why[PROTO_TEXT];
};

struct msg_setup {
    int32_t study;  /* its number, from 0 */
    int32_t device; /* enum device_kind; not the CPU: answer with MSG_DEVICE */
    char train[PROTO_PATH]; /* absolute, as all paths here */
    char valid[TRAIN_SETS][PROTO_PATH];
    int32_t n_valid;
    int32_t log_level;
    int32_t bind;                 /* enum affinity */
    int32_t how[DEVICE_CHOICES];  /* on a GPU, by enum device_choice */
    char checkpoints[PROTO_PATH]; /* a run's are in checkpoints/<run id> */
    double checkpoint_seconds;
    double stand_in; /* > 0: do not train, sleep predicted seconds / this */
};

struct msg_assign {
    int32_t slot; /* of that supervisor */
    int32_t member, gang;
    int32_t study; /* whose setup holds */
    int32_t n_trunk;
    int32_t device; /* enum device_kind, as all ranks agreed */
    int32_t place;  /* of the slot on its node ... */
    int32_t places; /* ... that has so many */
    int32_t keep;   /* checkpoints, the newest */
    int32_t pad;
    int64_t run, attempt;
    int64_t pause_at; /* stop at a checkpoint after this step; 0: do not */
    int64_t trunk, trunk_step;      /* begin with this one; 0: none */
    int64_t trunk_at[PROTO_TRUNKS]; /* n_trunk steps to leave one at */
    double seconds; /* predicted, for the stand-in, of all its steps */
    char rendezvous[PROTO_NAME];
    struct run_spec spec;
};

/* MSG_KILL and MSG_PAUSE. */
struct msg_kill {
    int64_t run, attempt;
    int32_t slot;
    int32_t pad;
};

struct msg_stop {
    int32_t signo; /* why; 0: the time limit */
};

struct msg_bye {
    int32_t code;
};

struct msg_begin {
    int64_t run, attempt;
    int64_t step; /* finished before; 0: from scratch */
};

struct msg_steps {
    int64_t run, attempt;
    int64_t n;
    struct step_report step[PROTO_STEPS];
};

struct msg_eval {
    int64_t run, attempt;
    struct eval_report eval;
};

struct msg_position {
    int64_t run, attempt;
    struct position_report position;
};

struct msg_saved {
    int64_t run, attempt;
    int64_t step;
    double seconds;
};

struct msg_end {
    int64_t run, attempt;
    int32_t slot, member;
    int32_t rc;        /* of train(): 0, or -1 with the next two */
    int32_t err_class; /* enum err_class */
    char text[PROTO_TEXT];
    struct train_result result;
};

/* Any message, for a buffer. */
union proto_any {
    struct msg_hello hello;
    struct msg_signal signal;
    struct msg_gone gone;
    struct msg_device device;
    struct msg_setup setup;
    struct msg_assign assign;
    struct msg_kill kill;
    struct msg_stop stop;
    struct msg_bye bye;
    struct msg_begin begin;
    struct msg_steps steps;
    struct msg_eval eval;
    struct msg_position position;
    struct msg_saved saved;
    struct msg_end end;
};

/* sizeof the struct of a tag; 0: there is no such tag. */
size_t proto_size(int tag);
/* "assign", for messages. */
const char *proto_name(int tag);
/* Is this what a well-behaved peer may send?  Size, counts, terminated texts,
 * ranges; the content of a spec is not judged. */
int proto_check(int tag, const void *msg, size_t len, struct err *e);

/* Run and attempt of a child's report (BEGIN .. END). */
void proto_subject(int64_t *run, int64_t *attempt, int tag, const void *msg);

/* Frames on a pipe or in a file.  proto_write writes head and body whole
 * (-1: the other side is gone, or the disk is full). */
int proto_write(int fd, int tag, const void *msg, struct err *e);

struct proto_reader {
    size_t len; /* bytes in buf that are not a whole frame yet */
    char buf[sizeof(union proto_any) + 16];
};
/* Read one frame from fd: 1 with *tag and *msg; 0: nothing whole yet (fd would
 * block); -1: end of file (*e says "closed"), an error, or a frame that is not
 * ours.  With a blocking fd it waits; a signal makes it return 0. */
int proto_read(struct proto_reader *r, int fd, int *tag, union proto_any *msg,
               struct err *e);

#endif
