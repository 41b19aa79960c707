// runs: the list with its filters, one run, loss curves, and questions in SQL.
import {h, ask, path, num, flops, percent, span, clock, state, table}
  from "/dom.js";
import {Lines} from "/chart.js";

const PAGE = 200;

const columns = [
  {key: "run", head: "run", cell: (r, app) => app.link({view: "run",
    run: r.run}, r.run.slice(0, 8), "Run " + r.run)},
  {key: "stage", head: "stage", cell: (r) => r.stage},
  {key: "state", head: "state", cell: (r) => state(r.state)},
  {key: "budget", head: "flops", n: 1, cell: (r) => flops(r.budget)},
  {key: "d_model", head: "shape", cell: (r) => `${r.d_model} x ${r.n_layer}`},
  {key: "lr", head: "lr", n: 1, cell: (r) => num(r.lr, 3)},
  {key: "batch_tokens", head: "batch", n: 1, cell: (r) => num(r.batch_tokens)},
  {key: "seed", head: "seed", n: 1, minor: 1, cell: (r) => String(r.seed)},
  {key: "steps_done", head: "steps", n: 1, minor: 1, cell: (r) =>
    `${r.steps_done}/${r.steps}`},
  {key: "loss", head: "loss", n: 1, cell: (r) => num(r.loss, 5)},
  {key: "bpb", head: "bpb", n: 1, cell: (r) => num(r.bpb, 5)},
  {key: "train_seconds", head: "time", n: 1, minor: 1, cell: (r) =>
    span(r.train_seconds)},
  {key: "attempts", head: "tries", n: 1, minor: 1, cell: (r) =>
    String(r.attempts)},
  {head: "reason", long: 1, cell: (r) => [r.reason, r.flags].filter(Boolean)
    .join("; ")},
];

function choose(app, label, key, values) {
  return h("label", {}, label, h("select", {"data-key": key,
    onchange: (e) => app.go({[key]: e.target.value, page: ""})},
  h("option", {value: ""}, "all"), values.map(([v, text]) => h("option",
    {value: v, selected: String(app.arg(key)) === String(v)}, text))));
}

function tools(app, total) {
  const mine = (x) => !app.study || x.study === app.study;
  const st = app.studies, page = +app.arg("page") || 0;
  const uniq = (a) => [...new Set(a)];
  const picked = app.list("pick");
  let wait = 0;
  return h("form", {class: "tools", role: "search",
    onsubmit: (e) => e.preventDefault()},
  choose(app, "stage", "stage", uniq(st.stages.filter(mine)
    .map((g) => g.stage)).map((g) => [g, g])),
  choose(app, "state", "state", ["pending", "running", "done", "diverged",
    "failed", "stopped"].map((k) => [k, k])),
  choose(app, "flops", "budget", uniq(st.budgets.filter(mine)
    .map((b) => b.budget)).map((b) => [b, flops(b)])),
  h("label", {}, h("span", {class: "minor"}, "text"), h("input",
    {type: "search", id: "filter", "data-key": "text", placeholder:
      "id, reason, flag", value: app.arg("text"), oninput: (e) => {
      clearTimeout(wait);
      wait = setTimeout(() => app.go({text: e.target.value, page: ""},
        true), 250);
    }})),
  h("span", {class: "dim", role: "status"}, total ? `${page * PAGE + 1} to ${
    Math.min(total, (page + 1) * PAGE)} of ${total}` : "none"),
  total > PAGE ? [h("button", {type: "button", disabled: page === 0,
    onclick: () => app.go({page: page - 1 || ""})}, "previous"),
  h("button", {type: "button", disabled: (page + 1) * PAGE >= total,
    onclick: () => app.go({page: page + 1})}, "next")] : null,
  h("button", {type: "button", class: "go", disabled: !picked.length,
    onclick: () => app.go({view: "curves"})},
  picked.length ? `curves of ${picked.length}` : "pick runs for curves"));
}

export async function runs(app) {
  const page = +app.arg("page") || 0, sort = app.arg("sort");
  const data = await app.get("/api/runs", {stage: app.arg("stage"),
    state: app.arg("state"), budget: app.arg("budget"), text: app.arg("text"),
    sort, down: app.arg("down"), limit: PAGE, offset: page * PAGE || ""});
  const picked = new Set(app.list("pick"));
  const pick = (id, on) => {
    if (on) picked.add(id); else picked.delete(id);
    app.go({pick: [...picked].join()}, true);
  };
  const order = (c) => app.go(sort !== c.key ? {sort: c.key, down: ""} :
    app.arg("down") ? {sort: "", down: ""} : {down: 1}, true);
  const head = h("tr", {}, h("th", {scope: "col"}, ""), columns.map((c) =>
    h("th", {scope: "col", class: (c.n ? "n " : "") + (c.minor ? "minor" : ""),
      "aria-sort": sort && sort === c.key ? (app.arg("down") ? "descending" :
        "ascending") : null}, c.key ? h("button", {"data-key": "sort-" + c.key,
      onclick: () => order(c)}, c.head) : c.head)));
  const body = data.rows.map((r) => h("tr", {"data-run": r.run,
    class: app.at === r.run ? "at" : "", onclick: (e) => {
      if (!e.target.closest("a, input")) app.go({view: "run", run: r.run});
    }},
  h("td", {}, h("input", {type: "checkbox", "data-key": "pick-" + r.run,
    "aria-label": "Pick run " + r.run, checked: picked.has(r.run),
    onchange: (e) => pick(r.run, e.target.checked)})),
  columns.map((c) => h("td", {class: (c.n ? "n" : c.long ? "long" : "s") +
    (c.minor ? " minor" : "")}, c.cell(r, app)))));
  return [tools(app, data.total[0].n), h("div", {class: "wide", tabindex: 0,
    role: "region", "aria-label": "Runs"}, h("table", {id: "runs"},
    h("thead", {}, head), h("tbody", {}, body)))];
}

// --- curves ---

const xs = {step: "step", tokens: "tokens", flops: "flops"};
const ys = {loss: "training loss, nats", lr: "learning rate",
  norm: "gradient norm", seconds: "seconds a step"};
const charts = new Map();

function chart(name, label) {
  if (!charts.has(name)) charts.set(name, new Lines({label}));
  return charts.get(name);
}

const colour = (i, n) => n <= 4 ? "s" + i :
  "q" + Math.round(7 * i / Math.max(1, n - 1));

// The steps that are seen of a curve, to ask for them in full.
function window(c, x, zoom) {
  if (!zoom) return {};
  const at = (v) => {
    let i = c[x].findIndex((q) => q >= v);
    if (i < 0) i = c[x].length - 1;
    return c.step[i];
  };
  return {from: Math.max(1, at(zoom[0]) - 1), to: at(zoom[1]) + 1};
}

async function curvesInto(app, chart, list, o) {
  const x = xs[app.arg("x")] ? app.arg("x") : "flops";
  const y = ys[app.arg("y")] ? app.arg("y") : "loss";
  const xlog = app.arg("xlog") !== "0", ylog = app.arg("ylog") === "1";
  const load = async (args) => (await ask(path("/api/curves",
    {run: list.map((r) => r.run).join(), n: 400, log: xlog ? 1 : 0,
      ...args}))).data;
  const whole = await load({});
  const show = (curves) => chart.set(curves.map((c, i) => ({
    name: list[i].name, cls: colour(i, list.length),
    x: c[x], y: c[y], ...(y === "loss" ? {lo: c.lo, hi: c.hi} : {}),
    dim: o.dim && o.dim !== list[i].run,
    marks: o.marks && y === "loss" ? o.marks.map((m) => [m[x], m.loss]) : null,
  })), {xname: xs[x], yname: ys[y], xlog, ylog, onzoom: async (z) => {
    app.quietly({zoom: z.x ? [...z.x, ...z.y || []].map((v) =>
      Number(v.toPrecision(6))).join() : ""});
    if (!z.x) { show(whole); return; }
    const w = whole.filter((c) => c.step.length).map((c) => window(c, x, z.x));
    if (!w.length) return;
    show(await load({from: Math.min(...w.map((q) => q.from)),
      to: Math.max(...w.map((q) => q.to)), log: 0}));
  }});
  const z = app.list("zoom").map(Number), kind = x + y + xlog + ylog;
  const same = !chart.kind || chart.kind === kind;
  chart.kind = kind;
  chart.zoom = {x: same && z.length >= 2 ? z.slice(0, 2) : null,
    y: same && z.length === 4 ? z.slice(2) : null};
  show(whole);
  if (chart.zoom.x || !same) chart.o.onzoom(chart.zoom);
  return whole;
}

function axes(app) {
  const pick = (label, key, all, usual) => h("label", {}, label, h("select",
    {"data-key": key, onchange: (e) => app.go({[key]: e.target.value})},
    Object.keys(all).map((k) => h("option", {value: k,
      selected: k === (app.arg(key) || usual)}, all[k]))));
  const flag = (label, key, on, off) => h("label", {}, h("input",
    {type: "checkbox", "data-key": key, checked: on, onchange: (e) =>
      app.go({[key]: e.target.checked === off ? (off ? "1" : "0") : ""})}),
  label);
  return [pick("across", "x", xs, "flops"),
    flag("log", "xlog", app.arg("xlog") !== "0", false),
    pick("up", "y", ys, "loss"),
    flag("log", "ylog", app.arg("ylog") === "1", true)];
}

async function bestOfEach(app) {
  const st = await app.status(), seen = new Map();
  for (const b of st.best)
    if (!seen.has(b.run)) seen.set(b.run, {run: b.run, name:
      `${flops(b.budget)} flops, ${b.d_model} x ${b.n_layer}`,
    budget: b.budget});
  for (const r of st.running)
    if (seen.size < 24 && !seen.has(r.run)) seen.set(r.run, {run: r.run,
      name: `${r.stage}, running`, budget: Infinity});
  return [...seen.values()].sort((a, b) => a.budget - b.budget).slice(-24);
}

const hidden = new Set();
export async function curves(app) {
  const picked = app.list("pick");
  const all = picked.length ? picked.map((run) => ({run,
    name: "run " + run.slice(0, 8)})) : await bestOfEach(app);
  const list = all.filter((r) => !hidden.has(r.run));
  const c = chart("curves", "Loss curves");
  if (picked.length) await Promise.all(all.map(async (r) => {
    const d = (await app.get("/api/run", {run: r.run})).run[0];
    if (d) r.name = `${flops(d.budget)} flops, ${d.d_model} x ${d.n_layer}, ` +
      `lr ${num(d.lr, 2)}, batch ${d.batch_tokens}`;
  }));
  if (list.length) await curvesInto(app, c, list, {});
  const left = (r) => list.indexOf(r);
  return [h("div", {class: "tools"}, axes(app), picked.length ? h("button",
    {onclick: () => app.go({pick: ""})}, "the best of each budget instead") :
    h("span", {class: "dim"}, "the best run of each budget and what runs; " +
      "pick others under Runs")),
  h("section", {class: "card"}, list.length ? c.box : h("p", {class: "dim"},
    "No steps yet."), h("ul", {class: "legend"}, all.map((r) => h("li", {},
    h("button", {"aria-pressed": String(!hidden.has(r.run)),
      "data-key": "show-" + r.run, onclick: () => {
        if (hidden.has(r.run)) hidden.delete(r.run); else hidden.add(r.run);
        app.render();
      }}, h("span", {class: "chip " + (left(r) >= 0 ?
      colour(left(r), list.length) : "")}), r.name)))))];
}

// --- one run ---

const facts = [
  ["budget", (r) => flops(r.budget) + " flops"],
  ["shape", (r) => `${r.d_model} wide, ${r.n_layer} layers, ${r.n_head} heads`],
  ["M", (r) => num(r.M) + " flops a token"], ["N", (r) => num(r.N)],
  ["D", (r) => num(r.D) + " tokens"], ["lr", (r) => num(r.lr)],
  ["batch", (r) => r.batch_tokens + " tokens"],
  ["steps", (r) => `${r.steps_done} of ${r.steps}`],
  ["schedule", (r) => r.schedule], ["precision", (r) => r.dtype],
  ["seed", (r) => String(r.seed)], ["epochs", (r) => num(r.epochs, 3)],
  ["loss", (r) => num(r.loss, 6)], ["bits per byte", (r) => num(r.bpb, 6)],
  ["training", (r) => span(r.train_seconds)],
  ["predicted", (r) => span(r.predicted_seconds)],
];

export async function run(app) {
  const d = await app.get("/api/run", {run: app.arg("run")});
  const r = d.run[0];
  if (!r) return [h("p", {class: "note"}, "No such run.")];
  const c = chart("run", "Loss of the run");
  const got = await curvesInto(app, c, [{run: r.run, name: "training"}],
    {marks: d.evaluations});
  return [h("div", {class: "tools"}, h("button", {onclick: () =>
    app.go({view: "runs", run: ""})}, "all runs"), h("h2", {class: "inline"},
    `Run ${r.run}`), state(r.state), axes(app)),
  r.reason ? h("p", {class: "note"}, r.reason) : null,
  h("section", {class: "card"}, got[0] && got[0].step.length ? [c.box,
    h("p", {class: "dim"}, got[0].thinned ? "Thinned: zoom in for every " +
      "step. " : "", d.evaluations.length ? "Dots: validation." : "")] :
    h("p", {class: "dim"}, "No steps are stored.")),
  h("div", {class: "grid2"},
    h("section", {class: "card"}, h("h2", {}, "Facts"), h("dl",
      {class: "facts"}, facts.filter((f) => f[1](r)).map((f) => [h("dt", {},
      f[0]), h("dd", {}, f[1](r))]))),
    h("section", {class: "card"}, h("h2", {}, "Attempts"), table("Attempts", [
      {head: "", n: 1, cell: (a) => String(a.attempt)},
      {head: "state", cell: (a) => state(a.state)},
      {head: "where", cell: (a) => `${a.host || ""}:${a.ranks || ""}`},
      {head: "from", cell: (a) => clock(a.started)},
      {head: "steps", n: 1, cell: (a) => `${a.resumed_step} to ${
        a.steps ?? "now"}`},
      {head: "reason", long: 1, cell: (a) => a.reason || ""},
    ], d.attempts), h("h3", {}, "Validation"), table("Validation", [
      {head: "step", n: 1, cell: (v) => String(v.step)},
      {head: "set", cell: (v) => v.valid_set},
      {head: "loss", n: 1, cell: (v) => num(v.loss, 6)},
      {head: "bpb", n: 1, cell: (v) => num(v.bpb, 6)},
    ], d.evaluations), h("h3", {}, "Events"), table("Events", [
      {head: "at", cell: (v) => clock(v.at)},
      {head: "what", long: 1, cell: (v) => v.text},
    ], d.events)))];
}

// --- questions ---

function answer(rows) {
  if (!rows.length) return h("p", {class: "dim"}, "No rows.");
  const keys = Object.keys(rows[0]);
  const csv = () => [keys, ...rows.map((r) => keys.map((k) => r[k]))].map((r) =>
    r.map((v) => v == null ? "" : /[",\n]/.test(v) ? '"' + String(v)
      .replaceAll('"', '""') + '"' : v).join()).join("\r\n");
  return [h("div", {class: "tools"}, h("span", {class: "dim"},
    `${rows.length} rows`), h("button", {onclick: (e) => {
    navigator.clipboard.writeText(csv()).then(() => {
      e.target.textContent = "copied"; });
  }}, "copy as CSV")), table("Answer", keys.map((k) => ({head: k,
    n: rows.some((r) => typeof r[k] === "number"), cell: (r) =>
      typeof r[k] === "number" ? num(r[k], 6) : r[k] ?? ""})),
  rows.slice(0, 1000))];
}

export async function query(app) {
  const q = app.arg("q") || "@frontier", saved = app.studies.queries;
  const known = saved.find((s) => "@" + s.name === q);
  const params = known ? Object.entries(known.params) : [];
  let out;
  try {
    out = answer((await ask(path("/api/query", {q, ...Object.fromEntries(
      params.map(([k, v]) => [k, app.arg("p_" + k) || v]))}))).data);
  } catch (e) {
    if (!e.status || e.status === 403) throw e;
    out = h("p", {class: "note", role: "alert"}, e.message);
  }
  const box = h("textarea", {"data-key": "sql", "aria-label": "SQL",
    spellcheck: "false", onkeydown: (e) => {
      if (e.key === "Enter" && (e.ctrlKey || e.metaKey))
        app.go({q: e.target.value.trim()});
    }}, q);
  return [h("div", {class: "grid2 ask"}, h("section", {class: "card"}, box,
    h("div", {class: "tools"}, h("button", {class: "go", onclick: () =>
      app.go({q: box.value.trim()})}, "Ask"), h("span", {class: "dim"},
      "Ctrl-Enter; reads only, views: docs/database.md"), params.map(([k, v]) =>
      h("label", {}, k, h("input", {value: app.arg("p_" + k) || v,
        "data-key": "p_" + k, onchange: (e) => app.go({["p_" + k]:
          e.target.value})}))))),
  h("section", {class: "card"}, h("h2", {}, "Saved"), h("ul",
    {class: "legend"}, saved.map((s) => h("li", {}, h("button", {title: s.help,
    onclick: () => app.go({q: "@" + s.name})}, "@" + s.name)))),
  h("p", {class: "dim"}, known ? known.help : ""))),
  h("section", {class: "card"}, out)];
}
