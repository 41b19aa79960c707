/* tensor_core: mma.sync and ldmatrix, with the register layouts of the PTX
 * manual ("Matrix fragments for mma.m16n8k16 with floating point type",
 * "ldmatrix").  test_cuemu.cpp holds an independent table of the first. */
#include "internal.h"

namespace cuemu
{

static float half_of(uint32_t pair, int high)
{
    uint32_t bits = high ? pair & 0xffff0000u : pair << 16;
    float f;

    memcpy(&f, &bits, sizeof f);
    return f;
}

struct Operands {
    uint32_t a[4], b[2];
};

/* d[16, 8] += a[16, 16] b[16, 8].  With g = lane / 4 and t = lane % 4: a lane
 * holds rows g and g + 8 of a at columns 2t, 2t + 1 (registers 0, 1) and
 * 2t + 8, 2t + 9 (2, 3); column g of b at rows 2t, 2t + 1 (0) and 2t + 8,
 * 2t + 9 (1); rows g (0, 1) and g + 8 (2, 3) of d at columns 2t, 2t + 1. */
void mma_m16n8k16_bf16(float d[4], const uint32_t a[4], const uint32_t b[2],
                       const char *file, int line)
{
    Operands x = {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
    const Slot *slot = warp_exchange(~0u, &x, sizeof x, MMA, file, line);
    unsigned g = self->lane / 4, t = self->lane % 4;
    float row[2][16], column[2][16];

    counts.mma++;
    for (unsigned q = 0; q < 4; q++) {
        slot_read(&slot[g * 4 + q], &x, sizeof x);
        for (unsigned i = 0; i < 4; i++)
            for (unsigned h = 0; h < 2; h++)
                row[i % 2][2 * q + h + i / 2 * 8] =
                    half_of(x.a[i], static_cast<int>(h));
    }
    for (unsigned c = 0; c < 2; c++)
        for (unsigned q = 0; q < 4; q++) {
            slot_read(&slot[(2 * t + c) * 4 + q], &x, sizeof x);
            for (unsigned i = 0; i < 2; i++)
                for (unsigned h = 0; h < 2; h++)
                    column[c][2 * q + h + i * 8] =
                        half_of(x.b[i], static_cast<int>(h));
        }
    for (unsigned i = 0; i < 4; i++) {
        float sum = d[i];

        for (unsigned k = 0; k < 16; k++)
            sum += row[i / 2][k] * column[i % 2][k];
        d[i] = sum;
    }
}

/* Four 8 x 8 matrices of bf16; lane i gives the address of row i % 8 of
 * matrix i / 8.  A lane gets, of each, row lane / 4 at columns 2 (lane % 4)
 * and the next; transposed, column lane / 4 at those rows. */
void ldmatrix_x4(uint32_t r[4], const void *row, bool trans, const char *file,
                 int line)
{
    const Slot *slot;
    unsigned g = self->lane / 4, t = self->lane % 4;

    if (reinterpret_cast<uintptr_t>(row) & 15)
        fail("ldmatrix at %s:%d: a row is not aligned to 16 bytes", file, line);
    slot = warp_exchange(~0u, &row, sizeof row, LDMATRIX + trans, file, line);
    for (unsigned m = 0; m < 4; m++) {
        uint16_t pair[2];

        for (unsigned h = 0; h < 2; h++) {
            unsigned i = trans ? 2 * t + h : g, j = trans ? g : 2 * t + h;
            const uint16_t *p;

            slot_read(&slot[m * 8 + i], &p, sizeof p);
            pair[h] = p[j];
        }
        r[m] = pair[0] | static_cast<uint32_t>(pair[1]) << 16;
    }
}

} /* namespace cuemu */
