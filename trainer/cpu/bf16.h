/* bf16: the upper half of a float, rounded to nearest, ties to even. */
#ifndef LOGLOG_TRAINER_CPU_BF16_H
#define LOGLOG_TRAINER_CPU_BF16_H

#include <stdint.h>
#include <string.h>

/* The bits of x as bf16; a NaN stays one. */
static inline uint16_t bf16_bits(float x)
{
    uint32_t u;

    memcpy(&u, &x, sizeof u);
    if ((u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7fffu + (u >> 16 & 1)) >> 16);
}

/* x as a bf16 operand sees it. */
static inline float bf16_round(float x)
{
    uint32_t u = (uint32_t)bf16_bits(x) << 16;
    float y;

    memcpy(&y, &u, sizeof y);
    return y;
}

#endif
