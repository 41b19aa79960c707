/* utf8: see utf8.h. */
#include "db/utf8.h"

#include "base/str.h"

size_t utf8_length(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t n = s[0] < 0x80                    ? 1
               : s[0] >= 0xC2 && s[0] <= 0xDF ? 2
               : (s[0] & 0xF0) == 0xE0        ? 3
               : s[0] >= 0xF0 && s[0] <= 0xF4 ? 4
                                              : 0;

    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    /* overlong forms, surrogates, beyond U+10FFFF */
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ||
        (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F))
        return 0;
    return n;
}

int utf8_valid(const char *text)
{
    while (*text) {
        size_t n = utf8_length(text);
        if (n == 0)
            return 0;
        text += n;
    }
    return 1;
}

char *utf8_repair(const char *text)
{
    struct str s;
    char *copy;

    str_init(&s);
    while (*text) {
        size_t n = utf8_length(text);
        if (n)
            str_add_n(&s, text, n);
        else
            str_add(&s, "\xEF\xBF\xBD");
        text += n ? n : 1;
    }
    copy = str_take(&s);
    str_release(&s);
    return copy;
}
