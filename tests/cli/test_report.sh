#!/usr/bin/env bash
# report and predict on the database of a study that ran.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
make_database

# claim TEXT COMMAND...: the command succeeds.
claim() {
    local text=$1
    shift
    if "$@"; then ok; else not_ok "$text"; fi
}

# ---- report
exits 0 "$LOGLOG" report tiny.db -o r.html
exits 0 "$LOGLOG" report tiny.db
says '^<!DOCTYPE html>'

cat >check.py <<'PY'
"""Well-formed, self-contained, every SVG number finite, every id once."""
import html.parser
import re
import sys

VOID = {"meta", "br", "line", "circle", "rect", "polyline", "polygon", "link"}


class Check(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.stack, self.bad, self.ids, self.seen = [], [], set(), {}

    def handle_starttag(self, tag, attrs):
        self.seen[tag] = self.seen.get(tag, 0) + 1
        if tag in ("script", "iframe", "link", "img", "object"):
            self.bad.append("<%s>" % tag)
        for k, v in attrs:
            if k == "id":
                if v in self.ids:
                    self.bad.append("id %s twice" % v)
                self.ids.add(v)
            if k in ("href", "src", "xlink:href") or k.startswith("on"):
                self.bad.append("%s=%s" % (k, v))
            if k in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r",
                     "width", "height", "points", "viewbox"):
                for n in re.split("[ ,]+", v):
                    if not re.fullmatch(r"-?\d+(\.\d+)?", n):
                        self.bad.append("%s %s=%s" % (tag, k, v[:40]))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.stack.pop()

    def handle_endtag(self, tag):
        if not self.stack or self.stack.pop() != tag:
            self.bad.append("</%s>" % tag)


text = open(sys.argv[1], encoding="utf-8", errors="strict").read()
c = Check()
c.feed(text)
c.close()
if c.stack:
    c.bad.append("left open: %s" % c.stack)
for what in ("http:", "https:", "@import", "url("):
    for m in re.finditer(re.escape(what), text):
        around = text[m.start():m.start() + 40]
        if not (around.startswith("http://www.w3.org/2000/svg") or
                around.startswith("url(#")):
            c.bad.append(around)
print(c.bad[:5] if c.bad else "good", c.seen.get("svg", 0),
      c.seen.get("table", 0))
PY
run python3 check.py r.html
says '^good [1-9][0-9]* [1-9]'
if [ "$(grep -c '<svg' r.html)" -eq "$(grep -c '<title id=' r.html)" ] &&
    [ "$(grep -c '<svg' r.html)" -eq "$(grep -c '<desc id=' r.html)" ]; then
    ok
else
    not_ok 'a figure without title or description'
fi
for section in Summary Predictions Method Runs Cost Provenance Hypothesis \
    Fitting 'Excluded from every fit'; do
    if grep -q "<h[23]>$section</h" r.html; then
        ok
    else
        not_ok "no section $section"
    fi
done
claim 'dark colours' grep -q 'prefers-color-scheme:dark' r.html

# ---- every run is listed, with its state; one that has not ended is excluded
rows_of() { # HEADING: the rows of the table below it in runs.md
    awk -v head="### $1" '/^#/ { in_it = $0 == head } in_it && /^\| [0-9]/' runs.md
}
cp tiny.db runs.db
sqlite3 runs.db "UPDATE run SET state = 'pending', bpb = NULL WHERE num = 3"
exits 0 "$LOGLOG" report runs.db -o runs.md
claim 'every run is listed' [ "$(rows_of 'Every run' | wc -l)" -eq 8 ]
claim 'the one that waits too' \
    [ "$(rows_of 'Every run' | grep -c '| pending |')" -eq 1 ]
claim 'and excluded' \
    [ "$(rows_of 'Excluded from every fit' | grep -c 'has not ended')" -eq 1 ]

# ---- Markdown, its figures beside it
exits 0 "$LOGLOG" report tiny.db -o r.md
claim 'a title in Markdown' grep -q '^# tiny' r.md
grep -oE 'r-[a-z0-9-]+\.svg' r.md >figures
while read -r figure; do
    claim "$figure is well-formed" python3 -c "import sys, xml.dom.minidom
xml.dom.minidom.parse(sys.argv[1])" "$figure"
done <figures
claim 'a figure beside the Markdown' test -s r-grid-1.svg

# ---- LaTeX
exits 0 "$LOGLOG" report tiny.db -o t.tex
claim 'a whole document' grep -q '^\\end{document}' t.tex
claim 'figures of paper, every colour written out' \
    test -z "$(grep -l 'var(' t-*.svg)"
if [ -e "$(dirname "$LOGLOG")/libloglog_pdf.so" ]; then
    claim 'a figure as PDF' grep -q '^%PDF' t-grid-1.pdf
    claim 'no word about missing ones' test ! -s err
else
    claim 'it says what is missing for PDF' grep -q 'librsvg' err
fi
if command -v pdflatex >/dev/null; then
    run pdflatex -interaction=nonstopmode -halt-on-error t.tex
    claim 'pdflatex takes it' test "$rc" -eq 0
    run pdflatex -interaction=nonstopmode -halt-on-error t.tex
    claim 'nothing sticks out of a table' test -z \
        "$(grep -E '^Overfull.*(alignment|[0-9]{3}\.)' t.log)"
else
    printf 'no pdflatex: the LaTeX was not set\n'
fi

# ---- every figure as files
exits 0 "$LOGLOG" report tiny.db --figures fig/new
claim 'nothing on standard output' test ! -s out
for f in grid-1 learning-rate batch schedule; do
    for ending in svg gp dat; do
        claim "$f.$ending" test -s "fig/new/$f.$ending"
    done
done
claim 'the data are exact' python3 -c "import subprocess, sys
want = {float(r) for r in subprocess.run([sys.argv[1], 'query', 'tiny.db',
    '--csv', 'SELECT bpb FROM points'], capture_output=True,
    text=True).stdout.split()[1:]}
have = {float(l.split()[2]) for f in ('grid-1', 'grid-2') for l in
    open('fig/new/' + f + '.dat').read().split('\\n\\n')[0].splitlines()
    if not l.startswith('#')}
sys.exit(want != have)" "$LOGLOG"
if command -v gnuplot >/dev/null; then
    (cd fig/new && for f in *.gp; do
        gnuplot "$f" 2>"$f.err" && [ -s "${f%.gp}.plot.svg" ] &&
            [ ! -s "$f.err" ] || printf '%s: %s\n' "$f" "$(head -n 2 "$f.err")"
    done) >gnuplot.out
    claim "gnuplot draws them: $(cat gnuplot.out)" test ! -s gnuplot.out
else
    printf 'no gnuplot: its scripts were not run\n'
fi
cp -r fig/new fig/old
exits 0 "$LOGLOG" report tiny.db --figures fig/new
claim 'the same bytes again' sh -c 'for f in fig/new/*.svg fig/new/*.dat; do
    cmp -s "$f" "fig/old/${f##*/}" || exit 1; done'

# ---- bad input
refuses 2 'html, md or tex' "$LOGLOG" report tiny.db --format pdf
refuses 2 "no study" "$LOGLOG" report tiny.db --study other
refuses 3 '' "$LOGLOG" report tiny.db -o no/such/dir/r.html

# ---- predict: two budgets of one size fit no profile
run "$LOGLOG" predict tiny.db --flops 1e9
claim 'predict is refused' test "$rc" -ne 0
claim 'predict says why not' grep -q isoflop err
refuses 2 'flops' "$LOGLOG" predict tiny.db --flops many
refuses 2 'needs --flops' "$LOGLOG" predict tiny.db
refuses 2 'level' "$LOGLOG" predict tiny.db --flops 1e9 --level 2
conclude
