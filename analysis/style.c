/* style: the two style sheets of our pages and figures.
 *
 * Colours: series from Okabe and Ito's palette, ordered series and heat maps
 * from cividis; both are told apart by the colour-blind.  What colour says,
 * shape, dashes or a label say too.  Light and dark follow the reader's
 * system. */
#include "analysis/page.h"
#include "analysis/svg.h"
#include "base/mem.h"

#include <string.h>

const char svg_style[] =
    ":root{--bg:#fff;--fg:#1c2128;--dim:#59636e;--rule:#d4d9df;--soft:#eef1f4;"
    "--s0:#0072b2;--s1:#d55e00;--s2:#007a5a;--s3:#a4508b;"
    "--q0:#00224e;--q1:#183871;--q2:#3b4a6e;--q3:#575c6d;--q4:#767270;"
    "--q5:#8f8667;--q6:#a3924e;--q7:#b19200}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#14181d;--fg:#e4e8ec;"
    "--dim:#9aa5b1;--rule:#38414b;--soft:#1f252c;"
    "--s0:#56b4e9;--s1:#f0883e;--s2:#3fc79a;--s3:#dc9ac8;"
    "--q0:#6f9bff;--q1:#7e9fe0;--q2:#8da3c4;--q3:#9ca7ac;--q4:#b3ab94;"
    "--q5:#cab47c;--q6:#e0be61;--q7:#fdd835}}\n"
    ".plot{display:block;width:100%;height:auto;font:12px system-ui,"
    "sans-serif;fill:none;overflow:visible}\n"
    ".plot text{fill:var(--fg);stroke:none}\n"
    ".plot .tick,.plot .key{font-size:11px;fill:var(--dim)}\n"
    ".plot .cell{font-size:11px;fill:#fff}.plot .cell.dark{fill:#10141a}.plot "
    ".cell.off{fill:var(--dim)}\n"
    ".plot .grid{stroke:var(--rule);stroke-width:.7}"
    ".plot .grid.minor{stroke-width:.35}\n"
    ".plot .frame{stroke:var(--dim);stroke-width:1;fill:none}"
    ".plot .axis{stroke:var(--fg);stroke-width:1}\n"
    ".plot .line{stroke-width:1.8}.plot .thin{stroke-width:1.1}"
    ".plot .bold{stroke-width:2.4}.plot .dash{stroke-dasharray:6 4}\n"
    ".plot .near{stroke:#d1007a;stroke-width:2;fill:none}\n"
    ".plot .choice{fill:#fff;stroke:#000;stroke-width:1.4}"
    ".plot .best{fill:var(--bg);stroke:var(--fg);stroke-width:1.8}\n"
    ".plot .diverged{fill:var(--soft);stroke:var(--dim)}"
    ".plot .dim{fill:var(--dim);stroke:var(--dim)}"
    ".plot .mark{fill:var(--bg);stroke:var(--fg);stroke-width:1.4}\n"
    /* every series colours its stroke; fills are asked for */
    ".plot .s0{stroke:var(--s0)}.plot .s1{stroke:var(--s1)}"
    ".plot .s2{stroke:var(--s2)}.plot .s3{stroke:var(--s3)}\n"
    ".plot .q0{stroke:var(--q0)}.plot .q1{stroke:var(--q1)}"
    ".plot .q2{stroke:var(--q2)}.plot .q3{stroke:var(--q3)}"
    ".plot .q4{stroke:var(--q4)}.plot .q5{stroke:var(--q5)}"
    ".plot .q6{stroke:var(--q6)}.plot .q7{stroke:var(--q7)}\n"
    ".plot .fill.s0,.plot .band.s0,.plot .faint.s0,.plot .bubble.s0"
    "{fill:var(--s0)}"
    ".plot .fill.s1,.plot .bubble.s1{fill:var(--s1)}"
    ".plot .fill.s2,.plot .bubble.s2{fill:var(--s2)}.plot .bubble.s3"
    "{fill:var(--s3)}.plot .fill.s3,.plot .bar.s3"
    "{fill:var(--s3)}\n"
    ".plot .fill.q0{fill:var(--q0)}.plot .fill.q1{fill:var(--q1)}"
    ".plot .fill.q2{fill:var(--q2)}.plot .fill.q3{fill:var(--q3)}"
    ".plot .fill.q4{fill:var(--q4)}.plot .fill.q5{fill:var(--q5)}"
    ".plot .fill.q6{fill:var(--q6)}.plot .fill.q7{fill:var(--q7)}\n"
    ".plot .band{fill-opacity:.16;stroke:none}.plot .faint{fill-opacity:.35;"
    "stroke:none}.plot .bubble{fill-opacity:.5}.plot .bar{fill-opacity:.35}"
    ".plot .open{fill:var(--bg);stroke-width:1.6}"
    ".plot text.fill{stroke:none}\n"
    ".plot .h0{fill:#fee838}.plot .h1{fill:#e1cc55}.plot .h2{fill:#c3b369}"
    ".plot .h3{fill:#a59c74}.plot .h4{fill:#8a8678}.plot .h5{fill:#707173}"
    ".plot .h6{fill:#575d6d}.plot .h7{fill:#35456c}.plot .h8{fill:#00224e}\n";

/* "--bg" to "#fff": the value that the light half gives to a name. */
static const char *value_of(const char *name, size_t n, size_t *len)
{
    for (const char *at = svg_style; (at = strstr(at, "--")); at++)
        if (!strncmp(at, name, n) && at[n] == ':') {
            *len = strcspn(at + n + 1, ";}");
            return at + n + 1;
        }
    BUG_ON(1);
}

void svg_style_print(struct str *out)
{
    const char *at = strstr(svg_style, "}}\n") + 3; /* behind the names */
    const char *next;

    while ((next = strstr(at, "var("))) {
        size_t n = strcspn(next + 4, ")"), len;
        const char *value = value_of(next + 4, n, &len);
        str_add_n(out, at, (size_t)(next - at));
        str_add_n(out, value, len);
        at = next + 4 + n + 1;
    }
    str_add(out, at);
}

const char page_style[] =
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;padding:0 1rem 4rem;max-width:70rem;"
    "background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,sans-serif;"
    "overflow-wrap:break-word}\n"
    "h1{margin:1.5rem 0 .2rem;font-size:1.9rem;line-height:1.2}"
    "h2{margin:2.6rem 0 .6rem;font-size:1.35rem;"
    "border-bottom:1px solid var(--rule);padding-bottom:.2rem}"
    "h3{margin:1.6rem 0 .4rem;font-size:1.05rem}\n"
    "header p{margin:0;color:var(--dim)}p{max-width:46rem}\n"
    ".note{border-left:4px solid var(--s1);background:var(--soft);"
    "padding:.5rem .8rem}\n"
    "dl{display:grid;grid-template-columns:minmax(8rem,max-content) 1fr;"
    "gap:.25rem 1rem;margin:.6rem 0}dt{color:var(--dim)}"
    "dd{margin:0;min-width:0;max-width:44rem}\n"
    "@media(max-width:36rem){dl{display:block}dd{margin:0 0 .5rem}}\n"
    ".wide{overflow-x:auto;margin:.8rem 0}\n"
    "table{border-collapse:collapse;font-size:.86rem;"
    "font-variant-numeric:tabular-nums}\n"
    "caption{text-align:left;color:var(--dim);padding-bottom:.3rem}\n"
    "th,td{padding:.22rem .65rem .22rem 0;text-align:left;"
    "border-bottom:1px solid var(--rule);vertical-align:top}"
    "th,td.n,td.s{white-space:nowrap}.n{text-align:right}\n"
    ".figures{display:grid;gap:1.2rem 1.6rem;"
    "grid-template-columns:repeat(auto-fit,minmax(min(100%,28rem),1fr));"
    "margin:1rem 0}\n"
    "figure{margin:0;max-width:40rem}"
    "figcaption{font-size:.86rem;color:var(--dim);margin-top:.2rem}\n"
    "details{margin:.8rem 0}summary{cursor:pointer;color:var(--s0)}"
    "pre{overflow-x:auto;background:var(--soft);padding:.7rem;"
    "font-size:.8rem;line-height:1.35}\n"
    /* on paper nothing is folded, and little is torn */
    "@media print{body{max-width:none;padding:0;font-size:10pt}"
    "details::details-content{content-visibility:visible;display:block}"
    ".wide{overflow:visible}table{font-size:7.5pt}td{overflow-wrap:anywhere}"
    "figure,tr,dt,dd,.note{break-inside:avoid}h2,h3,caption,summary"
    "{break-after:avoid}.figures{grid-template-columns:1fr 1fr;gap:.8rem}"
    "pre{white-space:pre-wrap;font-size:7pt}@page{margin:15mm}}\n";
