/* pdf_rsvg: the PDF plugin, librsvg drawing on a surface of cairo. */
#include "base/plugin.h"
#include "runner/pdf.h"

#include <cairo-pdf.h>
#include <librsvg/rsvg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POINTS 0.75 /* a user unit */

struct bytes {
    char *text;
    size_t len, cap;
};

static cairo_status_t collect(void *ctx, const unsigned char *data,
                              unsigned int n)
{
    struct bytes *b = ctx;

    if (b->len + n > b->cap) {
        size_t cap = 2 * (b->len + n);
        char *text = realloc(b->text, cap);
        if (!text)
            return CAIRO_STATUS_NO_MEMORY;
        b->text = text;
        b->cap = cap;
    }
    memcpy(b->text + b->len, data, n);
    b->len += n;
    return CAIRO_STATUS_SUCCESS;
}

static int fail(struct err *e, const char *what)
{
    e->cls = ERR_ENV;
    snprintf(e->text, sizeof e->text, "figure to PDF: %s", what);
    return -1;
}

static int draw(struct bytes *b, RsvgHandle *svg, const RsvgRectangle *box,
                struct err *e)
{
    RsvgRectangle page = {0, 0, POINTS * box->width, POINTS * box->height};
    cairo_surface_t *s = cairo_pdf_surface_create_for_stream(
        collect, b, page.width, page.height);
    cairo_t *c = cairo_create(s);
    GError *why = NULL;
    cairo_status_t bad;
    int rc = 0;

    /* a file is not to depend on when it was made */
    cairo_pdf_surface_set_metadata(s, CAIRO_PDF_METADATA_CREATE_DATE,
                                   "2000-01-01T00:00:00Z");
    if (!rsvg_handle_render_document(svg, c, &page, &why))
        rc = fail(e, why ? why->message : "cannot be drawn");
    g_clear_error(&why);
    bad = cairo_status(c);
    cairo_destroy(c);
    cairo_surface_finish(s);
    if (!bad)
        bad = cairo_surface_status(s);
    cairo_surface_destroy(s);
    return rc ? -1 : bad ? fail(e, cairo_status_to_string(bad)) : 0;
}

static int from_svg(char **pdf, size_t *len, const char *text, size_t n,
                    struct err *e)
{
    GError *why = NULL;
    RsvgHandle *svg = rsvg_handle_new_from_data((const guint8 *)text, n, &why);
    struct bytes b = {NULL, 0, 0};
    RsvgRectangle box;
    gboolean has_box;
    int rc;

    if (!svg) {
        rc = fail(e, why ? why->message : "no SVG");
        g_clear_error(&why);
        return rc;
    }
    rsvg_handle_get_intrinsic_dimensions(svg, NULL, NULL, NULL, NULL, &has_box,
                                         &box);
    rc = has_box ? draw(&b, svg, &box, e) : fail(e, "no viewBox");
    g_object_unref(svg);
    if (rc) {
        free(b.text);
        return -1;
    }
    *pdf = b.text;
    *len = b.len;
    return 0;
}

static const struct pdf_engine engine = {sizeof engine, from_svg};

plugin_entry loglog_pdf;
__attribute__((visibility("default"))) const void *loglog_pdf(int abi)
{
    return abi == PDF_ABI ? &engine : NULL;
}
