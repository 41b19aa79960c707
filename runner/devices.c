/* devices: what the ranks of a launch train on; see coordinator_impl.h. */
#include "runner/coordinator_impl.h"

#include "base/clock.h"
#include "base/log.h"

#define ANSWER_SECONDS 120.0 /* for a driver to answer */

enum device_kind devices_asked(const struct coordinator *c,
                               const struct tenant *t)
{
    const struct study *s = &t->study;
    int fit = s->base.dtype == DTYPE_BF16 && s->shape.head_dim % 8 == 0 &&
              s->shape.ff_multiple % 8 == 0;
    enum device_kind device =
        c->o->device >= 0 ? (enum device_kind)c->o->device : s->device;

    return c->o->stand_in > 0 || (device == DEVICE_AUTO && !fit) ? DEVICE_CPU
                                                                 : device;
}

/* Until every rank has told what it found. */
static int wait_for_all(struct coordinator *c, struct err *e)
{
    double until = clock_now() + ANSWER_SECONDS;

    while (!c->devices_told && !c->broken) {
        coordinator_listen(c);
        if (clock_now() > until)
            return err_set(e, ERR_ENV,
                           "a rank did not find out within %.0f s whether it "
                           "has a GPU",
                           ANSWER_SECONDS);
    }
    if (!c->broken)
        return 0;
    *e = c->fatal;
    return -1;
}

int devices_agree(struct coordinator *c, struct err *e)
{
    enum device_kind first = DEVICE_CPU;
    struct err why;
    int missing;

    for (int i = 0; i < c->n_tenant; i++) {
        struct tenant *t = &c->tenant[i];

        t->device = (enum device_kind)t->setup.device;
        if (t->device != DEVICE_CPU && first == DEVICE_CPU)
            first = t->device;
    }
    if (first == DEVICE_CPU)
        return 0;
    if (wait_for_all(c, e))
        return -1;
    missing = workers_devices_check(&c->workers, &why);
    for (int i = 0; i < c->n_tenant; i++) {
        struct tenant *t = &c->tenant[i];

        if (t->device == DEVICE_AUTO) {
            t->device = missing ? DEVICE_CPU : DEVICE_CUDA;
        } else if (t->device != DEVICE_CPU && missing) {
            *e = why;
            return -1;
        }
    }
    if (missing)
        log0_warn("training on the CPU: %s", why.text);
    else
        log0_info("training on %s", c->workers.rank[0].device.what);
    return 0;
}
