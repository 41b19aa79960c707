/* schedule: see schedule.h.  Multi-step is DeepSeek LLM section 2.3 (80 % at
 * the peak, 10 % at 31.6 %, 10 % at 10 %); the 1 - sqrt decay is Haegele et
 * al., arXiv 2405.18392. */
#include "sweep/schedule.h"

#include "base/hash.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846

/* How many steps make up this fraction.  0.07 * 100 is a little more than 7
 * in binary, and must still be 7. */
static int64_t steps_of(double fraction, int64_t steps)
{
    double x = fraction * (double)steps;
    int64_t n = (int64_t)ceil(x - 1e-9 * fmax(1, x));

    return n < 0 ? 0 : n > steps ? steps : n;
}

/* Steps before the WSD decay begins. */
static int64_t stable_steps(const struct schedule_spec *s, int64_t steps)
{
    return steps_of(1 - s->decay, steps);
}

static double multi_step(const struct schedule_spec *s, int64_t done,
                         int64_t steps)
{
    double factor = 1;

    for (int64_t i = 0; i < s->n_stage; i++)
        if (done >= steps_of(s->at[i], steps))
            factor = s->factor[i];
    return factor;
}

static double cosine(const struct schedule_spec *s, int64_t done, int64_t steps)
{
    int64_t from = s->warmup_steps;
    double p = (double)(done - from) / (double)(steps - from);

    return s->floor + (1 - s->floor) * 0.5 * (1 + cos(PI * p));
}

static double wsd(const struct schedule_spec *s, int64_t done, int64_t steps)
{
    int64_t from = stable_steps(s, steps);
    double p;

    if (done <= from)
        return 1;
    p = (double)(done - from) / (double)(steps - from);
    if (s->name == SCHED_WSD_SQRT)
        p = sqrt(p);
    return s->floor + (1 - s->floor) * (1 - p);
}

double schedule_lr(const struct schedule_spec *s, double peak, int64_t t,
                   int64_t steps)
{
    int64_t done = t - 1;

    BUG_ON(t < 1 || t > steps);
    if (t <= s->warmup_steps)
        return peak * ((double)t / (double)s->warmup_steps);
    switch ((enum schedule_kind)s->name) {
    case SCHED_MULTI_STEP:
        return peak * multi_step(s, done, steps);
    case SCHED_COSINE:
        return peak * cosine(s, done, steps);
    case SCHED_WSD_LINEAR:
    case SCHED_WSD_SQRT:
        return peak * wsd(s, done, steps);
    case SCHED_CONSTANT:
        break;
    }
    return peak;
}

int64_t schedule_plateau(const struct schedule_spec *s, int64_t steps)
{
    int64_t warmup = s->warmup_steps < steps ? s->warmup_steps : steps;
    int64_t flat = steps;

    switch ((enum schedule_kind)s->name) {
    case SCHED_MULTI_STEP:
        if (s->n_stage)
            flat = steps_of(s->at[0], steps);
        break;
    case SCHED_COSINE:
        flat = warmup;
        break;
    case SCHED_WSD_LINEAR:
    case SCHED_WSD_SQRT:
        flat = stable_steps(s, steps);
        break;
    case SCHED_CONSTANT:
        break;
    }
    return flat > warmup ? flat : warmup;
}

/* The canonical text with everything that does not decide the plateau made
 * equal. */
static void plateau_text(struct str *text, const struct run_spec *s)
{
    struct run_spec c = *s;

    c.schedule = (struct schedule_spec){
        .name = SCHED_CONSTANT, .warmup_steps = s->schedule.warmup_steps};
    c.steps = 1;
    c.eval_every = c.eval_tokens = 0;
    str_init(text);
    spec_print(text, &c);
}

int64_t schedule_family(const struct run_spec *s)
{
    struct str text;
    int64_t id;

    plateau_text(&text, s);
    id = hash_id(text.text);
    str_release(&text);
    return id ? id : 1;
}

int64_t schedule_shared(const struct run_spec *a, const struct run_spec *b)
{
    int64_t na = schedule_plateau(&a->schedule, a->steps);
    int64_t nb = schedule_plateau(&b->schedule, b->steps);
    struct str ta, tb;
    int same;

    plateau_text(&ta, a);
    plateau_text(&tb, b);
    same = !strcmp(ta.text, tb.text);
    str_release(&ta);
    str_release(&tb);
    return !same ? 0 : na < nb ? na : nb;
}
