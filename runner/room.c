/* room: see room.h. */
#include "runner/room.h"

#include "base/clock.h"
#include "base/log.h"
#include "runner/signals.h"

#include <string.h>

#define NAP 1.0       /* between tries */
#define SHORT_NAP 3.0 /* before attempts begin again */
#define SAY 60.0      /* between lines about it */

static void say(struct coordinator *c, const char *what)
{
    double now = clock_now();

    if (c->full_said > 0 && now - c->full_said < SAY)
        return;
    c->full_said = now;
    progress_clear(c);
    log0_warn("%s: the disk is full; the study pauses until there is room",
              what);
}

int room_wait(struct coordinator *c)
{
    double until = clock_now() + NAP;

    if (!store_full(c->db))
        return 0;
    if (c->full_since <= 0)
        c->full_since = clock_now();
    say(c, c->o->db);
    while (clock_now() < until) {
        if (signals_stop() || c->stopping || clock_now() > c->deadline)
            return 0;
        clock_sleep(0.05);
    }
    return 1;
}

void room_back(struct coordinator *c)
{
    double now = clock_now();
    char text[STR_DOUBLE];

    if (c->full_since <= 0)
        return;
    log0_info("there is room again after %s: going on",
              str_seconds(text, now - c->full_since));
    c->full_since = c->full_said = 0;
    /* nobody has hung: it was not listened to them */
    for (struct attempt *a = c->active; a; a = a->next)
        pulse_news(&a->pulse, now);
}

void room_short(struct coordinator *c, const char *why)
{
    say(c, why);
    c->full_until = clock_now() + SHORT_NAP;
}
