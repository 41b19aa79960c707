/* utf8: see utf8.h. */
#include "base/utf8.h"

#include <string.h>

#define ASCII UINT64_C(0x8080808080808080)

size_t utf8_sequence(const uint8_t *p, size_t n)
{
    uint8_t lo = 0x80, hi = 0xbf; /* of the second byte */
    size_t len;

    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (p[0] == 0xe0)
        lo = 0xa0;
    else if (p[0] == 0xed)
        hi = 0x9f;
    else if (p[0] == 0xf0)
        lo = 0x90;
    else if (p[0] == 0xf4)
        hi = 0x8f;
    if (n < len || p[1] < lo || p[1] > hi)
        return 0;
    for (size_t i = 2; i < len; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return len;
}

size_t utf8_prefix(const uint8_t *text, size_t n)
{
    size_t i = 0, len;
    uint64_t eight;

    while (i < n) {
        if (n - i >= 8) {
            memcpy(&eight, text + i, 8);
            if (!(eight & ASCII)) {
                i += 8;
                continue;
            }
        }
        len = utf8_sequence(text + i, n - i);
        if (!len)
            break;
        i += len;
    }
    return i;
}

size_t utf8_put(uint8_t *p, uint32_t c)
{
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0;
    for (size_t i = n; i-- > 1; c >>= 6)
        p[i] = (uint8_t)(0x80 | (c & 0x3f));
    p[0] = (uint8_t)(lead[n] | c);
    return n;
}
