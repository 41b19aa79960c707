/* price: what device time costs in energy and money, for plans.
 *
 * A device is known by name with what its maker states: dense bf16 flops a
 * second, power at full load, memory.  Throughput is peak times the share of it
 * that training reaches (MFU, on the exact count of flops.h); energy is the
 * stated power for the whole time, so rather too much than too little. */
#ifndef LOGLOG_SWEEP_PRICE_H
#define LOGLOG_SWEEP_PRICE_H

#include "base/err.h"
#include "sweep/cost.h"

struct device {
    const char *name; /* "h100" */
    const char *unit; /* what its hours are called */
    double peak;      /* dense bf16 flops a second; 0: measured or by table */
    double watts;     /* at full load */
    double bytes;     /* of memory; 0: of the machine */
};
/* Ends with a NULL name; the first is a core of this machine. */
extern const struct device devices[];
const struct device *device_find(const char *name, struct err *e);

#define PRICE_MFU 0.4 /* when a device is named and its share is not */

/* Throughput of a device at this share of its peak, whatever the width. */
void cost_device(struct cost_model *c, const struct device *d, double mfu);

struct price {
    double hours; /* of one device */
    double kwh;
    double money; /* 0: nothing was said */
};
void price_of(struct price *p, double seconds, double watts,
              double money_per_hour);

/* Bytes on disk, at most: what a plan writes beside its results. */
struct disk {
    double checkpoints; /* of the largest runs on all slots, two kept and one
                           being written */
    double trunks;      /* of a stage, all of them at once */
    double database;    /* with its journal */
};
/* Take in the runs of one stage. */
void disk_add(struct disk *d, const struct plan *p, int slots);

#endif
