/* palette: the colours of our figures can be read, and told apart by those who
 * see fewer of them.
 *
 * Contrast as WCAG 2.1 defines it: text 4.5, graphics 3.  Colour blindness as
 * Machado, Oliveira and Fernandes (2009) simulate it, at severity 1; distances
 * are those of CIE L*a*b*. */
#include "analysis/svg.h"
#include "base/mem.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double linear(double c)
{
    return c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
}

/* "#07b" or "#0072b2" as linear red, green, blue. */
static void parse(double rgb[3], const char *hex)
{
    size_t n = strspn(hex + 1, "0123456789abcdef");

    assert_true(hex[0] == '#' && (n == 3 || n == 6));
    for (size_t i = 0; i < 3; i++) {
        char two[3] = {hex[1 + i * n / 3], hex[n == 3 ? 1 + i : 2 + 2 * i], 0};
        rgb[i] = linear((double)strtol(two, NULL, 16) / 255);
    }
}

/* A name's colour in the light (0) or the dark half of the style sheet. */
static void colour(double rgb[3], int dark, const char *name)
{
    const char *at = dark ? strstr(svg_style, "@media") : svg_style;
    char key[16];

    snprintf(key, sizeof key, "--%s:", name);
    at = strstr(at, key);
    if (!at)
        fail_msg("no colour %s", name);
    parse(rgb, at + strlen(key));
}

static double luminance(const double rgb[3])
{
    return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2];
}

static double contrast(const double a[3], const double b[3])
{
    double x = luminance(a), y = luminance(b);

    return (fmax(x, y) + 0.05) / (fmin(x, y) + 0.05);
}

static void expect_contrast(int dark, const char *name, const char *on,
                            double least)
{
    double a[3], b[3];

    colour(a, dark, name);
    colour(b, dark, on);
    if (contrast(a, b) < least)
        fail_msg("%s on %s (%s): %.2f, %.1f expected", name, on,
                 dark ? "dark" : "light", contrast(a, b), least);
}

static void texts_and_lines_stand_out(void **state)
{
    static const char *const series[] = {"s0", "s1", "s2", "s3", "q0", "q1",
                                         "q2", "q3", "q4", "q5", "q6", "q7"};

    (void)state;
    for (int dark = 0; dark < 2; dark++) {
        expect_contrast(dark, "fg", "bg", 7);
        expect_contrast(dark, "dim", "bg", 4.5);
        expect_contrast(dark, "dim", "soft", 4.5);
        for (size_t i = 0; i < ARRAY_LEN(series); i++)
            expect_contrast(dark, series[i], "bg", 3);
    }
}

/* --- colour blindness --- */

static const double sight[4][3][3] = {
    {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
    {{0.152286, 1.052583, -0.204868},
     {0.114503, 0.786281, 0.099216},
     {-0.003882, -0.048116, 1.051998}},
    {{0.367322, 0.860646, -0.227968},
     {0.280085, 0.672501, 0.047413},
     {-0.011820, 0.042940, 0.968881}},
    {{1.255528, -0.076749, -0.178779},
     {-0.078411, 0.930809, 0.147602},
     {0.004733, 0.691367, 0.303900}},
};
static const char *const sight_name[] = {"usual", "protan", "deutan", "tritan"};

static double f_lab(double t)
{
    t = fmax(t, 0);
    return t > 0.008856 ? cbrt(t) : 7.787 * t + 16.0 / 116;
}

static void lab(double out[3], const double rgb[3], int kind)
{
    double l[3], x, y, z;

    for (int i = 0; i < 3; i++)
        l[i] = sight[kind][i][0] * rgb[0] + sight[kind][i][1] * rgb[1] +
               sight[kind][i][2] * rgb[2];
    x = f_lab((0.4124 * l[0] + 0.3576 * l[1] + 0.1805 * l[2]) / 0.9505);
    y = f_lab(luminance(l));
    z = f_lab((0.0193 * l[0] + 0.1192 * l[1] + 0.9505 * l[2]) / 1.089);
    out[0] = 116 * y - 16;
    out[1] = 500 * (x - y);
    out[2] = 200 * (y - z);
}

static void series_can_be_told_apart(void **state)
{
    static const char *const name[] = {"s0", "s1", "s2", "s3"};

    (void)state;
    for (int dark = 0; dark < 2; dark++)
        for (int kind = 0; kind < 4; kind++)
            for (size_t i = 0; i < 4; i++)
                for (size_t k = 0; k < i; k++) {
                    double a[3], b[3], p[3], q[3], d;
                    colour(a, dark, name[i]);
                    colour(b, dark, name[k]);
                    lab(p, a, kind);
                    lab(q, b, kind);
                    d = sqrt(pow(p[0] - q[0], 2) + pow(p[1] - q[1], 2) +
                             pow(p[2] - q[2], 2));
                    if (d < (kind ? 9 : 40)) /* shapes differ as well */
                        fail_msg("%s and %s are %.1f apart (%s, %s)", name[i],
                                 name[k], d, sight_name[kind],
                                 dark ? "dark" : "light");
                }
}

/* The heat map gets darker step by step, and its numbers can be read. */
static void heat_is_ordered_and_legible(void **state)
{
    double before = 2, ink[3], paper[3];

    (void)state;
    parse(ink, strstr(svg_style, ".cell.dark{fill:") + 16);
    parse(paper, "#fff");
    for (int i = 0; i < 9; i++) {
        char key[16];
        double rgb[3];
        snprintf(key, sizeof key, ".h%d{fill:", i);
        parse(rgb, strstr(svg_style, key) + strlen(key));
        assert_true(luminance(rgb) < before);
        before = luminance(rgb);
        if (contrast(rgb, i <= 4 ? ink : paper) < 4.5)
            fail_msg("h%d: %.2f", i, contrast(rgb, i <= 4 ? ink : paper));
    }
}

/* On paper there are no names, and nothing of the dark half. */
static void print_has_every_colour_written_out(void **state)
{
    struct str s;

    (void)state;
    str_init(&s);
    svg_style_print(&s);
    assert_null(strstr(s.text, "var("));
    assert_null(strstr(s.text, "@media"));
    assert_null(strstr(s.text, "--"));
    assert_non_null(strstr(s.text, ".plot .s0{stroke:#0072b2}"));
    str_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_and_lines_stand_out),
        cmocka_unit_test(series_can_be_told_apart),
        cmocka_unit_test(heat_is_ordered_and_legible),
        cmocka_unit_test(print_has_every_colour_written_out),
    };

    return cmocka_run_group_tests_name("palette", tests, NULL, NULL);
}
