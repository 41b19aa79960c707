// chart: a frame with two axes that can be zoomed into, and what is drawn in
// it: lines (loss curves) or bars (who did what when).
import {h, s, num} from "/dom.js";

const M = {left: 56, right: 14, top: 10, bottom: 40};

function niceStep(range, count) {
  const raw = range / count, p = 10 ** Math.floor(Math.log10(raw));
  return p * [1, 2, 5, 10].find((m) => m * p >= raw);
}

// {v, label} inside [lo, hi].
function ticks(lo, hi, log, count) {
  const out = [];
  if (log && hi / lo > 8) {
    const a = Math.floor(Math.log10(lo)), b = Math.ceil(Math.log10(hi));
    const every = Math.ceil((b - a) / count);
    for (let k = a; k <= b; k++)
      for (let m = 1; m < 10; m++) {
        const v = m * 10 ** k;
        if (v < lo || v > hi) continue;
        const named = m === 1 && (k - a) % every === 0 ||
          (b - a <= 2 && (m === 2 || m === 5));
        if (named || b - a <= 6) out.push({v, label: named ? num(v, 3) : ""});
      }
    return out;
  }
  const step = niceStep(hi - lo, count);
  for (let v = Math.ceil(lo / step) * step; v <= hi + step * 1e-9; v += step)
    out.push({v, label: num(Math.abs(v) < step * 1e-9 ? 0 :
      Number(v.toPrecision(12)), 6)});
  return out;
}

// Round times: seconds, minutes, hours, days.
const TIMES = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400,
  43200, 86400];
function timeTicks(lo, hi, count) {
  const raw = (hi - lo) / count, out = [];
  const step = TIMES.find((t) => t >= raw) ||
    86400 * Math.ceil(raw / 86400);
  if (hi - lo < 3) return ticks(lo, hi, false, count);
  for (let v = Math.ceil(lo / step) * step; v <= hi; v += step)
    out.push({v, label: String(v)});
  return out;
}

export class Frame {
  // o: {label, xname, yname, xlog, ylog, height, xlabel(v), onzoom(x)}
  constructor(o) {
    this.o = o;
    this.svg = s("svg", {class: "plot chart", tabindex: 0, role: "img",
      "aria-label": o.label});
    this.tip = h("div", {class: "tip", hidden: true});
    this.box = h("div", {class: "chartbox"}, this.svg, this.tip,
      h("div", {class: "zoom"},
        this.button("+", "Zoom in", () => this.scale(0.6)),
        this.button("\u2212", "Zoom out", () => this.scale(1 / 0.6)),
        this.button("all", "Show all", () => this.reset())));
    this.zoom = {x: null, y: null};
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.box);
  }
  button(text, label, onclick) {
    return h("button", {type: "button", title: label, "aria-label": label,
      onclick}, text);
  }
  set(data, o) {
    Object.assign(this.o, o);
    this.data = data;
    this.draw();
  }
  reset() {
    this.zoom = {x: null, y: null};
    this.changed();
  }
  changed() {
    this.draw();
    if (this.o.onzoom) this.o.onzoom(this.zoom);
  }

  // --- axes ---
  domain(axis) {
    const log = this.o[axis + "log"];
    let [lo, hi] = this.extent(axis);
    if (!(lo < hi)) {
      if (!isFinite(lo)) return log ? [1, 10] : [0, 1];
      return log ? [lo / 2, lo * 2] : [lo - 0.5, lo + 0.5];
    }
    if (axis === "x" || this.tight) return [lo, hi];
    return log ? [lo * (lo / hi) ** 0.03, hi * (hi / lo) ** 0.03] :
      [lo - 0.03 * (hi - lo), hi + 0.03 * (hi - lo)];
  }
  scaleOf(axis) {
    const d = this.zoom[axis] || this.domain(axis), log = this.o[axis + "log"];
    const f = log ? Math.log : (v) => v, g = log ? Math.exp : (v) => v;
    const [p0, p1] = axis === "x" ? [M.left, this.w - M.right] :
      [this.h - M.bottom, M.top];
    const a = f(d[0]), b = f(d[1]);
    return {d, log, p0, p1,
      at: (v) => log && v <= 0 ? NaN : p0 + (f(v) - a) / (b - a) * (p1 - p0),
      back: (p) => g(a + (p - p0) / (p1 - p0) * (b - a))};
  }
  draw() {
    if (!this.data || !this.box.clientWidth) return;
    this.w = this.box.clientWidth;
    this.h = this.o.height ? this.o.height() :
      Math.max(260, Math.min(460, Math.round(this.w * 0.55)));
    this.svg.setAttribute("viewBox", `0 0 ${this.w} ${this.h}`);
    this.svg.setAttribute("width", this.w);
    this.svg.setAttribute("height", this.h);
    const x = this.x = this.scaleOf("x"), y = this.y = this.scaleOf("y");
    const id = this.id = this.id || "c" + Math.random().toString(36).slice(2);
    const frame = s("g", {});
    const many = Math.max(3, this.w / 110);
    for (const t of this.rows ? timeTicks(...x.d, many) :
      ticks(...x.d, x.log, many)) {
      frame.append(s("line", {class: t.label ? "grid" : "grid minor",
        x1: x.at(t.v), x2: x.at(t.v), y1: y.p0, y2: y.p1}));
      if (t.label) frame.append(s("text", {class: "tick", x: x.at(t.v),
        y: y.p0 + 16, "text-anchor": "middle"},
        this.o.xlabel ? this.o.xlabel(t.v) : t.label));
    }
    if (!this.rows) for (const t of ticks(...y.d, y.log, this.h / 60)) {
      frame.append(s("line", {class: t.label ? "grid" : "grid minor",
        x1: x.p0, x2: x.p1, y1: y.at(t.v), y2: y.at(t.v)}));
      if (t.label) frame.append(s("text", {class: "tick", x: x.p0 - 6,
        y: y.at(t.v) + 4, "text-anchor": "end"}, t.label));
    }
    frame.append(
      s("rect", {class: "frame", x: x.p0, y: y.p1, width: x.p1 - x.p0,
        height: y.p0 - y.p1}),
      s("text", {class: "name", x: (x.p0 + x.p1) / 2, y: this.h - 6,
        "text-anchor": "middle"}, this.o.xname),
      s("text", {class: "name", "text-anchor": "middle",
        transform: `translate(13 ${(y.p0 + y.p1) / 2}) rotate(-90)`},
        this.o.yname || ""));
    this.marks = s("g", {});
    const inside = s("g", {"clip-path": `url(#${id})`});
    this.paint(inside, frame);
    this.svg.replaceChildren(
      s("clipPath", {id}, s("rect", {x: x.p0, y: y.p1, width: x.p1 - x.p0,
        height: y.p0 - y.p1})), frame, inside, this.marks);
  }

  // --- hands ---
  listen() {
    const v = this.svg;
    v.addEventListener("wheel", (e) => {
      e.preventDefault();
      const [px, py] = this.point(e);
      this.scale(e.deltaY > 0 ? 1.25 : 0.8, px, py);
    }, {passive: false});
    v.addEventListener("dblclick", () => this.reset());
    v.addEventListener("pointerdown", (e) => {
      if (e.button || e.pointerType === "touch") return;
      this.drag = {from: this.point(e), move: e.shiftKey, zoom: {
        x: this.x.d, y: this.y.d}};
      v.setPointerCapture(e.pointerId);
    });
    v.addEventListener("pointermove", (e) => this.moved(this.point(e)));
    v.addEventListener("pointerup", (e) => this.dropped(this.point(e)));
    v.addEventListener("pointerleave", () => this.untip());
    v.addEventListener("keydown", (e) => this.key(e));
    v.addEventListener("blur", () => this.untip());
  }
  point(e) {
    const r = this.svg.getBoundingClientRect();
    return [e.clientX - r.left, e.clientY - r.top];
  }
  untip() {
    this.tip.hidden = true;
    if (this.marks) this.marks.replaceChildren();
  }
  moved(p) {
    if (!this.drag) {
      this.hover(...p);
      return;
    }
    this.untip();
    const [x0, y0] = this.drag.from, dx = p[0] - x0, dy = p[1] - y0;
    if (this.drag.move) {
      this.shift(this.drag.zoom, dx, dy);
      return;
    }
    this.marks.replaceChildren(s("rect", {class: "select",
      x: Math.min(x0, p[0]), y: this.rows ? this.y.p1 : Math.min(y0, p[1]),
      width: Math.abs(dx),
      height: this.rows ? this.y.p0 - this.y.p1 : Math.abs(dy)}));
  }
  dropped(p) {
    const d = this.drag;
    this.drag = null;
    if (!d) return;
    this.marks.replaceChildren();
    if (d.move) { this.changed(); return; }
    const dx = Math.abs(p[0] - d.from[0]), dy = Math.abs(p[1] - d.from[1]);
    if (dx < 6 || (!this.rows && dy < 6)) {
      if (dx < 3 && dy < 3 && this.o.onclick) this.o.onclick(...p);
      return;
    }
    const order = (a, b) => a < b ? [a, b] : [b, a];
    this.zoom.x = order(this.x.back(d.from[0]), this.x.back(p[0]));
    if (!this.rows)
      this.zoom.y = order(this.y.back(d.from[1]), this.y.back(p[1]));
    this.changed();
  }
  shift(from, dx, dy) {
    const move = (axis, d, by) => {
      const c = {...this[axis]}, f = c.log ? Math.log : (v) => v,
        g = c.log ? Math.exp : (v) => v, a = f(d[0]), b = f(d[1]);
      const k = -by / (c.p1 - c.p0) * (b - a);
      return [g(a + k), g(b + k)];
    };
    this.zoom.x = move("x", from.x, dx);
    if (!this.rows) this.zoom.y = move("y", from.y, dy);
    this.draw();
  }
  // About the pixel (px, py), or the middle.
  scale(k, px, py) {
    for (const [axis, p] of [["x", px], ["y", py]]) {
      if (axis === "y" && this.rows) continue;
      const c = this[axis], at = p ?? (c.p0 + c.p1) / 2;
      this.zoom[axis] = [c.back(at + (c.p0 - at) * k),
        c.back(at + (c.p1 - at) * k)];
    }
    this.changed();
  }
  key(e) {
    const move = {ArrowLeft: [60, 0], ArrowRight: [-60, 0],
      ArrowUp: [0, 60], ArrowDown: [0, -60]}[e.key];
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (move) { this.shift({x: this.x.d, y: this.y.d}, ...move);
      this.changed(); }
    else if (e.key === "+" || e.key === "=") this.scale(0.7);
    else if (e.key === "-") this.scale(1 / 0.7);
    else if (e.key === "0" || e.key === "Home") this.reset();
    else return;
    e.preventDefault();
    e.stopPropagation();
  }
  showTip(px, py, ...lines) {
    this.tip.replaceChildren(...lines);
    this.tip.hidden = false;
    const w = this.tip.offsetWidth, hh = this.tip.offsetHeight;
    this.tip.style.left = Math.max(0, px + 14 + w > this.w ? px - w - 14 :
      px + 14) + "px";
    this.tip.style.top = Math.max(0, Math.min(py - 10, this.h - hh)) + "px";
  }
}

// data: [{name, cls, x: [], y: [], lo, hi, dim}]
export class Lines extends Frame {
  extent(axis) {
    let lo = Infinity, hi = -Infinity;
    const log = this.o[axis + "log"];
    for (const c of this.data) for (const v of c[axis]) {
      if (v == null || !isFinite(v) || (log && v <= 0)) continue;
      if (v < lo) lo = v;
      if (v > hi) hi = v;
    }
    return [lo, hi];
  }
  paint(g) {
    for (const c of this.data) {
      if (c.lo && c.x.length > 1 && this.data.length <= 3) {
        const p = c.x.map((v, i) => [v, c.hi[i]]).concat(
          c.x.map((v, i) => [v, c.lo[i]]).reverse());
        g.append(s("path", {class: "spread " + c.cls,
          d: this.line(p.filter((q) => q[1] != null)) + "Z"}));
      }
    }
    for (const c of this.data) {
      const p = c.x.map((v, i) => [v, c.y[i]]);
      g.append(s("path", {class: `line ${c.cls}${c.dim ? " dimmed" : ""}`,
        d: this.line(p)}));
      for (const m of c.marks || [])
        g.append(s("circle", {class: "fill " + c.cls, r: 3.2,
          cx: this.x.at(m[0]), cy: this.y.at(m[1])}));
    }
  }
  line(points) {
    let d = "", pen = "M";
    for (const [x, y] of points) {
      const px = this.x.at(x), py = y == null ? NaN : this.y.at(y);
      if (!isFinite(px) || !isFinite(py)) { pen = "M"; continue; }
      d += pen + px.toFixed(1) + " " + py.toFixed(1);
      pen = "L";
    }
    return d;
  }
  hover(px, py) {
    if (px < this.x.p0 || px > this.x.p1) { this.untip(); return; }
    const near = [];
    for (const c of this.data) {
      let best = -1, far = Infinity;
      c.x.forEach((v, i) => {
        const d = Math.abs(this.x.at(v) - px);
        if (d < far && c.y[i] != null) { far = d; best = i; }
      });
      if (best >= 0 && far < 40) near.push({c, i: best,
        dy: Math.abs(this.y.at(c.y[best]) - py)});
    }
    if (!near.length) { this.untip(); return; }
    near.sort((a, b) => a.dy - b.dy);
    this.marks.replaceChildren(
      s("line", {class: "cross", x1: px, x2: px, y1: this.y.p0,
        y2: this.y.p1}),
      ...near.map((n) => s("circle", {class: "fill " + n.c.cls, r: 3,
        cx: this.x.at(n.c.x[n.i]), cy: this.y.at(n.c.y[n.i])})));
    this.showTip(px, py, h("div", {class: "dim"},
      `${this.o.xname} ${num(near[0].c.x[near[0].i], 5)}`),
    ...near.slice(0, 10).map((n) => h("div", {}, h("span",
      {class: "chip " + n.c.cls}), `${n.c.name}  ${num(n.c.y[n.i], 5)}`)));
  }
}

// data: {rows: [name], bars: [{row, x0, x1, cls, title, run}]}
export class Bars extends Frame {
  constructor(o) {
    super({height: () => M.top + M.bottom + 26 * this.data.rows.length, ...o});
    this.rows = true;
    this.tight = true;
  }
  extent(axis) {
    if (axis === "y") return [this.data.rows.length, 0].reverse();
    let lo = Infinity, hi = -Infinity;
    for (const b of this.data.bars) {
      lo = Math.min(lo, b.x0);
      hi = Math.max(hi, b.x1);
    }
    return [lo, hi];
  }
  top(row) { return M.top + 26 * row; }
  paint(g, frame) {
    this.data.rows.forEach((name, i) => frame.append(
      s("line", {class: "grid", x1: this.x.p0, x2: this.x.p1,
        y1: this.top(i), y2: this.top(i)}),
      s("text", {class: "tick", "text-anchor": "end", x: this.x.p0 - 6,
        y: this.top(i) + 17}, name.length > 9 ? "\u2026" + name.slice(-8) :
        name)));
    for (const b of this.data.bars) {
      const x = this.x.at(b.x0), w = Math.max(1.5, this.x.at(b.x1) - x - 1);
      if (x + w < this.x.p0 || x > this.x.p1) continue;
      g.append(s("rect", {class: "lane " + b.cls, x, width: w,
        y: this.top(b.row) + 3, height: 20, rx: 2}));
      if (w > 46) g.append(s("text", {class: "cell", x: x + 5,
        y: this.top(b.row) + 17}, b.text.slice(0, Math.floor(w / 7))));
    }
  }
  at(px, py) {
    const row = Math.floor((py - M.top) / 26), v = this.x.back(px);
    return this.data.bars.find((b) => b.row === row && v >= b.x0 &&
      v <= b.x1);
  }
  hover(px, py) {
    const b = this.at(px, py);
    if (!b) { this.untip(); return; }
    this.showTip(px, py, ...b.title.map((t) => h("div", {}, t)));
  }
}

// A few points as a line of text height.
export function spark(values, cls) {
  const v = values.filter((y) => y != null), w = 120, hh = 24;
  if (v.length < 2) return s("svg", {class: "plot spark"});
  const lo = Math.min(...v), hi = Math.max(...v);
  const d = v.map((y, i) => `${i ? "L" : "M"}${
    (i / (v.length - 1) * (w - 2) + 1).toFixed(1)} ${
    (hh - 2 - (y - lo) / (hi - lo || 1) * (hh - 4)).toFixed(1)}`).join("");
  return s("svg", {class: "plot spark", viewBox: `0 0 ${w} ${hh}`,
    role: "img", "aria-label": `loss from ${num(v[0])} to ${
      num(v[v.length - 1])}`}, s("path", {class: "line " + cls, d}));
}
