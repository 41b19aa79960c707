// laws: the figures of the report, to look into, and the fits behind them.
import {h, num, flops, percent, span, table} from "/dom.js";

const parser = new DOMParser();
let count = 0;

// While the server fits, what it made before is shown and asked for again.
function fitting(app, fits) {
  app.again = app.again || fits.fitting != null;
  return fits.fitting == null ? [] : h("p", {class: "note", role: "status"},
    `fitting ... ${span(fits.fitting)} so far` + (fits.fits.length ?
      "; below is what was fitted before the last run ended" : ""));
}

// The server's SVG as elements, its ids made unique in this page.
function drawing(figure) {
  const id = "z" + ++count;
  const text = figure.svg.replace(/<svg /, '<svg xmlns="' +
    'http://www.w3.org/2000/svg" ').replace(/id="(f\d+)/g, `id="${id}$1`)
    .replace(/#(f\d+)/g, `#${id}$1`)
    .replace(/(aria-\w+="[^"]*)"/g, (m) => m.replace(/\bf(\d+)/g,
      `${id}f$1`));
  return document.importNode(parser.parseFromString(text, "image/svg+xml")
    .documentElement, true);
}

// Wheel, drag and keys move the view of an SVG; double click shows all.
function movable(svg) {
  const all = svg.getAttribute("viewBox").split(/[ ,]+/).map(Number);
  let v = [...all], from = null;
  const show = () => svg.setAttribute("viewBox", v.join(" "));
  const zoom = (k, x, y) => {
    const w = Math.min(all[2] * 1.5, Math.max(all[2] / 40, v[2] * k)),
      f = w / v[2];
    v = [x - (x - v[0]) * f, y - (y - v[1]) * f, w, v[3] * f];
    show();
  };
  const at = (e) => {
    const p = new DOMPoint(e.clientX, e.clientY)
      .matrixTransform(svg.getScreenCTM().inverse());
    return [p.x, p.y];
  };
  svg.setAttribute("tabindex", 0);
  svg.addEventListener("wheel", (e) => {
    e.preventDefault();
    zoom(e.deltaY > 0 ? 1.2 : 1 / 1.2, ...at(e));
  }, {passive: false});
  svg.addEventListener("pointerdown", (e) => {
    from = at(e);
    svg.setPointerCapture(e.pointerId);
  });
  svg.addEventListener("pointermove", (e) => {
    if (!from) return;
    const [x, y] = at(e);
    v[0] += from[0] - x;
    v[1] += from[1] - y;
    show();
  });
  svg.addEventListener("pointerup", () => { from = null; });
  svg.addEventListener("dblclick", () => { v = [...all]; show(); });
  svg.addEventListener("keydown", (e) => {
    const d = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1],
      ArrowDown: [0, 1]}[e.key];
    if (d) { v[0] += d[0] * v[2] / 8; v[1] += d[1] * v[3] / 8; show(); }
    else if (e.key === "+" || e.key === "=")
      zoom(0.7, v[0] + v[2] / 2, v[1] + v[3] / 2);
    else if (e.key === "-") zoom(1 / 0.7, v[0] + v[2] / 2, v[1] + v[3] / 2);
    else if (e.key === "0") { v = [...all]; show(); }
    else return;
    e.preventDefault();
  });
}

export function enlarge(app, figure) {
  const dialog = document.getElementById("dialog"), svg = drawing(figure);
  movable(svg);
  dialog.replaceChildren(h("button", {class: "close", onclick: () =>
    dialog.close()}, "Close"), h("h2", {}, figure.section), svg,
  h("p", {class: "dim"}, figure.caption +
    " Wheel or + and - zoom, drag or arrows move, 0 shows all."));
  dialog.onclose = () => app.go({figure: ""}, true);
  if (!dialog.open) dialog.showModal();
  svg.focus();
}

const card = (app, f) => h("figure", {}, h("button", {"data-key":
  "figure-" + f.name, "aria-label": "Enlarge: " + f.caption, onclick: () =>
  app.go({figure: f.name}, true)}, drawing(f)),
h("figcaption", {}, f.caption));

function show(app, figures) {
  const name = app.arg("figure"), f = figures.find((x) => x.name === name);
  const dialog = document.getElementById("dialog");
  if (f && !dialog.open) enlarge(app, f);
  if (!f && dialog.open) dialog.close();
}

const fitCard = (f) => h("section", {class: "card"},
  h("h2", {}, `${f.law}, ${f.method}`), h("p", {}, f.identified ?
    h("span", {class: "state complete"}, "identified") :
    h("span", {class: "state refused"}, "not identified"),
  ` from ${f.n} points, ${f.excluded || 0} excluded`),
  f.refused ? h("p", {class: "note"}, f.refused) : null,
  table("Parameters", [
    {head: "parameter", cell: ([k]) => k},
    {head: "value", n: 1, cell: ([, v]) => num(v, 5)},
    {head: f.level ? percent(f.level, 0) + " interval" : "interval", n: 1,
      cell: ([k]) => f.ci && f.ci[k] ? `${num(f.ci[k][0])} to ${
        num(f.ci[k][1])}` : ""},
  ], Object.entries(f.params || {}).filter(([, v]) => v != null),
  "No parameters."));

export async function laws(app) {
  const fits = await app.get("/api/laws"); // first: it says what figures are
  const figures = await app.get("/api/figures");
  const sections = [...new Set(figures.map((f) => f.section))]
    .filter((x) => x !== "Predictions");
  const out = [fitting(app, fits)];
  if (fits.refused) out.push(h("p", {class: "note"},
    "No law could be fitted: " + fits.refused));
  for (const name of sections)
    out.push(h("section", {}, h("h2", {}, name), h("div", {class: "figures"},
      figures.filter((f) => f.section === name).map((f) => card(app, f)))));
  if (fits.fits.length) out.push(h("h2", {}, "Fits"), h("div",
    {class: "grid2"}, fits.fits.map(fitCard)));
  out.push(h("p", {}, h("a", {href: "/report"}, "The whole report"),
    ": the tables behind these figures, the method, every run."));
  show(app, figures);
  return out;
}

export async function predictions(app) {
  const fits = await app.get("/api/laws");
  const [figures, rows] = await Promise.all([app.get("/api/figures"),
    app.get("/api/query", {q: "@predictions"})]);
  const mine = figures.filter((f) => f.name === "predictions" ||
    f.name === "loss-law");
  show(app, figures);
  return [fitting(app, fits), h("section", {class: "card"}, h("h2", {},
    "Registered before their runs began, and measured"), table("Predictions", [
    {head: "flops", n: 1, cell: (p) => flops(p.flops)},
    {head: "decades beyond", n: 1, cell: (p) => num(p.decades, 2)},
    {head: "shape", cell: (p) => `${p.d_model} x ${p.n_layer}`},
    {head: "predicted bpb", n: 1, cell: (p) => num(p.bpb, 5)},
    {head: "interval", n: 1, cell: (p) => `${num(p.bpb_lo, 5)} to ${
      num(p.bpb_hi, 5)}`},
    {head: "measured", n: 1, cell: (p) => p.runs ? `${num(p.measured, 5)} (${
      p.runs})` : ""},
    {head: "error", n: 1, cell: (p) => p.runs ? num(p.error_percent, 3) +
      " %" : ""},
    {head: "", cell: (p) => !p.runs ? "not measured yet" : p.inside ?
      h("span", {class: "state complete"}, "inside") :
      h("span", {class: "state failed"}, "outside")},
    {head: "registered", cell: (p) => p.made},
  ], rows.filter((p) => !app.study || p.study === app.study),
  "No prediction is registered yet.")),
  h("div", {class: "figures"}, mine.map((f) => card(app, f)))];
}
