/* svg: shapes; see svg.h. */
#include "analysis/svg.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- text --- */

/* Length of the UTF-8 sequence at s, or 0 when it is none. */
static size_t utf8_len(const unsigned char *s)
{
    size_t n = s[0] < 0x80                   ? 1
               : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
               : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
               : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                             : 0;

    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

static const char *entity(unsigned char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void markup_escape(struct str *out, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;

    while (*s) {
        size_t n = utf8_len(s);
        const char *e = entity(*s);
        if (e)
            str_add(out, e);
        else if (!n || *s == 0x7f || (*s < 0x20 && *s != '\n' && *s != '\t'))
            str_add(out, "\xef\xbf\xbd");
        else
            str_add_n(out, s, n);
        s += n ? n : 1;
    }
}

/* --- shapes --- */

/* A coordinate: two decimals, no "-0", no trailing zeros. */
static void number(struct str *out, double v)
{
    char buf[64];
    char *end;

    snprintf(buf, sizeof buf, "%.2f", v);
    for (end = buf + strlen(buf); end[-1] == '0';)
        *--end = 0;
    if (end[-1] == '.')
        *--end = 0;
    str_add(out, strcmp(buf, "-0") ? buf : "0");
}

static void attribute(struct str *out, const char *name, double v)
{
    str_addf(out, " %s=\"", name);
    number(out, v);
    str_add(out, "\"");
}

static int drawable(double v)
{
    return isfinite(v) && fabs(v) < 1e6;
}

void svg_begin(struct str *out, const char *id, double w, double h,
               const char *title, const char *desc)
{
    str_addf(out,
             "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" "
             "viewBox=\"0 0 %.0f %.0f\" role=\"img\" "
             "aria-labelledby=\"%s-t %s-d\">",
             w, h, id, id);
    str_addf(out, "<title id=\"%s-t\">", id);
    markup_escape(out, title);
    str_addf(out, "</title><desc id=\"%s-d\">", id);
    markup_escape(out, desc);
    str_add(out, "</desc>\n");
}

void svg_end(struct str *out)
{
    str_add(out, "</svg>\n");
}

void svg_line(struct str *out, const char *cls, double x1, double y1, double x2,
              double y2)
{
    if (!drawable(x1) || !drawable(y1) || !drawable(x2) || !drawable(y2))
        return;
    str_addf(out, "<line class=\"%s\"", cls);
    attribute(out, "x1", x1);
    attribute(out, "y1", y1);
    attribute(out, "x2", x2);
    attribute(out, "y2", y2);
    str_add(out, "/>\n");
}

static void points(struct str *out, const double *xy, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        number(out, xy[2 * i]);
        str_add(out, ",");
        number(out, xy[2 * i + 1]);
        if (i + 1 < n)
            str_add(out, " ");
    }
}

void svg_polyline(struct str *out, const char *cls, const double *xy, size_t n)
{
    for (size_t i = 0, j; i < n; i = j + 1) {
        for (j = i; j < n && drawable(xy[2 * j]) && drawable(xy[2 * j + 1]);)
            j++;
        if (j - i < 2)
            continue;
        str_addf(out, "<polyline class=\"%s\" points=\"", cls);
        points(out, xy + 2 * i, j - i);
        str_add(out, "\"/>\n");
    }
}

void svg_polygon(struct str *out, const char *cls, const double *xy, size_t n)
{
    for (size_t i = 0; i < 2 * n; i++)
        if (!drawable(xy[i]))
            return;
    if (n < 3)
        return;
    str_addf(out, "<polygon class=\"%s\" points=\"", cls);
    points(out, xy, n);
    str_add(out, "\"/>\n");
}

void svg_circle(struct str *out, const char *cls, double x, double y, double r)
{
    if (!drawable(x) || !drawable(y))
        return;
    str_addf(out, "<circle class=\"%s\"", cls);
    attribute(out, "cx", x);
    attribute(out, "cy", y);
    attribute(out, "r", r);
    str_add(out, "/>\n");
}

void svg_rect(struct str *out, const char *cls, double x, double y, double w,
              double h)
{
    if (!drawable(x) || !drawable(y) || !drawable(w) || !drawable(h))
        return;
    str_addf(out, "<rect class=\"%s\"", cls);
    attribute(out, "x", x);
    attribute(out, "y", y);
    attribute(out, "width", w);
    attribute(out, "height", h);
    str_add(out, "/>\n");
}

void svg_text(struct str *out, const char *cls, const char *anchor, double x,
              double y, const char *text)
{
    if (!drawable(x) || !drawable(y))
        return;
    str_addf(out, "<text class=\"%s\" text-anchor=\"%s\"", cls, anchor);
    attribute(out, "x", x);
    attribute(out, "y", y);
    str_add(out, ">");
    markup_escape(out, text);
    str_add(out, "</text>\n");
}

void svg_text_up(struct str *out, const char *cls, double x, double y,
                 const char *text)
{
    str_addf(out,
             "<text class=\"%s\" text-anchor=\"middle\" "
             "transform=\"translate(%.2f %.2f) rotate(-90)\">",
             cls, x, y);
    markup_escape(out, text);
    str_add(out, "</text>\n");
}

void svg_mark(struct str *out, const char *cls, enum svg_mark m, double x,
              double y, double r)
{
    double up[] = {x,           y - 1.2 * r, x + 1.1 * r,
                   y + 0.8 * r, x - 1.1 * r, y + 0.8 * r};
    double diamond[] = {x, y - 1.3 * r, x + 1.3 * r, y,
                        x, y + 1.3 * r, x - 1.3 * r, y};

    switch (m) {
    case MARK_SQUARE:
        svg_rect(out, cls, x - 0.9 * r, y - 0.9 * r, 1.8 * r, 1.8 * r);
        break;
    case MARK_DIAMOND:
        svg_polygon(out, cls, diamond, 4);
        break;
    case MARK_UP:
        svg_polygon(out, cls, up, 3);
        break;
    case MARK_CROSS:
        svg_line(out, cls, x - r, y - r, x + r, y + r);
        svg_line(out, cls, x - r, y + r, x + r, y - r);
        break;
    case MARK_DOT:
    default:
        svg_circle(out, cls, x, y, r);
    }
}

void svg_clip(struct str *out, const char *id, double x, double y, double w,
              double h)
{
    str_addf(out, "<clipPath id=\"%s-c\">", id);
    svg_rect(out, "frame", x, y, w, h);
    str_addf(out, "</clipPath><g clip-path=\"url(#%s-c)\">\n", id);
}

void svg_clip_end(struct str *out)
{
    str_add(out, "</g>\n");
}
