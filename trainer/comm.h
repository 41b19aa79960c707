/* comm: what the members of a gang do together.
 *
 * Members are processes that train one run.  They own arrays in common, each
 * member writing its own part, and agree on what to do next.  comm_self is a
 * gang of one; comm_shm is a gang on one machine, its arrays in shared memory
 * and its waiting done with futexes; comm_tcp is one on several machines, for
 * small arrays.
 *
 * Every wait is bounded.  A member that dies (however: the kernel drops its
 * lock) or that shows no progress for peer_seconds makes every other member's
 * next or present call fail with a line that names it; from then on every
 * call of that gang fails at once. */
#ifndef LOGLOG_TRAINER_COMM_H
#define LOGLOG_TRAINER_COMM_H

#include "base/err.h"

#include <stddef.h>

#define COMM_MAX 64   /* most members of a gang */
#define COMM_TEXT 128 /* of comm_agree */

struct comm;

/* An array that all members read and each writes a part of: member m writes
 * elements [bound[m], bound[m + 1]). */
struct comm_array {
    void *data;     /* bound[size] elements, zeroed at first */
    size_t element; /* bytes */
    size_t bound[COMM_MAX + 1];
};

/* Join the gang `name` of `size` members as `member`.  The name is unique to
 * one attempt of one run; it is gone again when this returns 0 on all members.
 * "tcp:HOST:PORT:TOKEN" is a gang on several machines (comm_tcp.c), any other
 * name one on this.
 * size == 1 needs no name.  Collective; *c is the caller's to close. */
int comm_open(struct comm **c, int member, int size, const char *name,
              double peer_seconds, struct err *e);
/* Leave.  Not collective; NULL is allowed.  To leave a gang that is in the
 * middle of something is to die as far as the others are concerned. */
void comm_close(struct comm *c);

/* Remove what a gang leaves behind when all its members are killed before
 * they have met.  For whoever started them; silent when there is nothing. */
void comm_forget(const char *name);

int comm_member(const struct comm *c);
int comm_size(const struct comm *c);

/* Make an array from its element size and bounds; it lives as long as *c.  -1
 * with ERR_ENV, on all members, when there is no memory for it; the gang can
 * go on.  Collective. */
int comm_alloc(struct comm_array *a, struct comm *c, struct err *e);

/* After it each member sees what all wrote to these arrays before it.  What a
 * member then reads, the others must not overwrite before the next collective
 * call.  Collective. */
int comm_share(struct comm *c, struct comm_array *const *a, int n,
               struct err *e);

/* *bits becomes the union of all members' bits.  `text` (COMM_TEXT bytes; may
 * be NULL on all) becomes that of the first member whose text is not empty.
 * Collective. */
int comm_agree(struct comm *c, unsigned *bits, char *text, struct err *e);

/* "I am alive": to be called at least every peer_seconds while not in a
 * collective call.  Not collective. */
void comm_beat(struct comm *c);

/* Tell the others why this member gives up; their calls then fail with this
 * text.  Not collective. */
void comm_fail(struct comm *c, const struct err *e);

#endif
