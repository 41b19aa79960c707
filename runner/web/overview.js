// overview: how the study stands, what each lane does, what went wrong.
import {h, num, flops, percent, span, clock, seconds, state, table}
  from "/dom.js";
import {Bars, spark} from "/chart.js";

const names = ["done", "running", "pending", "diverged", "failed", "stopped"];

function totals(st) {
  const n = names.reduce((a, k) => a + (st.runs[k] || 0), 0);
  const ended = n - (st.runs.pending || 0) - (st.runs.running || 0);
  const share = st.flops > 0 ? st.flops_done / st.flops : 0;
  const fact = (dt, dd, small) => h("div", {}, h("dt", {}, dt),
    h("dd", {}, dd, small ? h("small", {}, " " + small) : null));
  return h("section", {class: "card"},
    h("dl", {class: "numbers"},
      fact("runs", String(ended), "of " + n),
      fact("compute", percent(share), "of " + flops(st.flops) + " flops"),
      fact("time left", st.eta_seconds == null ?
        (ended === n ? "none" : "unknown") : span(st.eta_seconds)),
      fact(st.writer || !st.slots ? "slots at work" : "slots interrupted",
        String(st.slots || 0), st.of_slots ? "of " + st.of_slots : ""),
      st.tokens_per_second ? fact("tokens a second",
        num(st.tokens_per_second, 3), st.peak_share ?
          percent(st.peak_share, 0) + " of peak" : "") : null,
      ...names.slice(3).filter((k) => st.runs[k]).map((k) =>
        fact(k, String(st.runs[k])))),
    h("div", {class: "bar", role: "img", "aria-label":
      names.filter((k) => st.runs[k]).map((k) => st.runs[k] + " " + k)
        .join(", ")},
    names.filter((k) => k !== "pending" && st.runs[k]).map((k) => {
      const i = h("i", {class: k});
      i.style.width = 100 * st.runs[k] / n + "%";
      return i;
    })),
    h("div", {class: "dim"}, st.writer ? "written by " + st.writer :
      "nobody is writing", ", created " + clock(st.created)));
}

function meter(share, done) {
  const i = h("i", {});
  i.style.width = 100 * Math.min(1, share) + "%";
  return h("span", {class: "meter" + (done ? " done" : ""), role: "img",
    "aria-label": percent(share)}, i);
}

const count = (g) => names.reduce((a, k) => a + (g.runs[k] || 0), 0);

// Reasons are whole in the view stages, cut short in the status.
const stages = (st, app) => h("section", {class: "card"},
  h("h2", {}, "Stages"),
  table("Stages", [
    {head: "stage", cell: (g) => g.stage},
    {head: "state", cell: (g) => h("span", {title: g.reason || ""},
      state(g.state))},
    {head: "done", n: 1, cell: (g) => count(g) ? `${g.runs.done}/${
      count(g)}` : ""},
    {head: "bad", n: 1, cell: (g) => count(g) ? String(
      g.runs.diverged + g.runs.failed + g.runs.stopped) : ""},
    {head: "compute", cell: (g) => g.flops ? [meter(g.flops_done / g.flops,
      g.state === "complete"), percent(g.flops_done / g.flops, 0)] : ""},
    {head: "best bpb", n: 1, cell: (g) => num(g.best_bpb)},
  ], st.stages),
  app.studies.stages.filter((g) => g.study === st.study && g.reason)
    .map((g) => h("p", {class: "dim"}, h("b", {}, g.stage + ": "), g.reason)));

const best = (st, app) => h("section", {class: "card"},
  h("h2", {}, "Best of each budget"),
  table("Best of each budget", [
    {head: "stage", cell: (b) => b.stage},
    {head: "flops", n: 1, cell: (b) => flops(b.budget)},
    {head: "bpb", n: 1, cell: (b) => app.link({view: "run", run: b.run},
      num(b.bpb, 5))},
    {head: "ahead", n: 1, title: "of the runner-up", cell: (b) =>
      percent(b.gap, 2)},
    {head: "width x layers", cell: (b) => `${b.d_model} x ${b.n_layer}`},
    {head: "lr", n: 1, cell: (b) => num(b.lr, 3)},
    {head: "batch", n: 1, cell: (b) => num(b.batch_tokens)},
  ], st.best, "No run has ended yet."));

// One row for each slot that was ever at work.
function laneRows(lanes) {
  const rows = new Map();
  for (const a of lanes) {
    const ranks = (a.ranks || "0").split(" ");
    for (const r of ranks) {
      const key = `${a.host || "?"}:${r}`;
      if (!rows.has(key)) rows.set(key, []);
      rows.get(key).push(a);
    }
  }
  return [...rows].sort((a, b) => a[0].localeCompare(b[0], "en",
    {numeric: true}));
}

function laneTable(st, lanes, app) {
  const running = new Map(st.running.map((r) => [r.run, r]));
  const rows = laneRows(lanes).map(([name, list]) => {
    const a = list.find((x) => !x.ended && running.has(x.run));
    return {name, a, r: a && running.get(a.run), idle: list[0]};
  });
  const of = (text) => (l) => l.r ? text(l.r) : "";
  return h("section", {class: "card"}, h("h2", {}, "Lanes"),
    table("Lanes", [
      {head: "lane", cell: (l) => l.name},
      {head: "does", cell: (l) => l.r ? app.link({view: "run", run: l.a.run},
        `${l.a.stage} ${flops(l.a.budget)}`) :
        h("span", {class: "dim"}, "idle since " + clock(l.idle.ended))},
      {head: "step", cell: of((r) => [meter(r.step / r.steps),
        `${r.step}/${r.steps}`])},
      {head: "loss", n: 1, cell: of((r) => num(r.loss))},
      {head: "", cell: of((r) => spark(r.losses || [], "s0"))},
      {head: "tokens/s", n: 1, cell: of((r) => num(r.tokens_per_second, 3))},
      {head: "of peak", n: 1, cell: of((r) => percent(r.peak_share, 0))},
      {head: "left", n: 1, cell: of((r) => span(r.eta_seconds))},
      {head: "try", n: 1, cell: of((r) => String(r.attempt))},
    ], rows, "No run has started yet."));
}

const trouble = (st, app) => h("section", {class: "card"},
  h("h2", {}, "Ended badly"),
  table("Ended badly", [
    {head: "runs", n: 1, cell: (f) => String(f.n)},
    {head: "state", cell: (f) => app.link({view: "runs", state: f.state},
      state(f.state))},
    {head: "reason", long: 1, cell: (f) => f.reason || "no reason given"},
  ], st.failures, "Nothing has."));

const events = (st, app) => h("section", {class: "card"},
  h("h2", {}, "Last events"),
  table("Last events", [
    {head: "at", cell: (v) => clock(v.at)},
    {head: "kind", cell: (v) => v.kind},
    {head: "what", long: 1, cell: (v) => v.run ?
      app.link({view: "run", run: v.run}, v.text) : v.text},
  ], st.events.slice(-12).reverse()));

export async function overview(app) {
  const [st, lanes] = await Promise.all([app.status(),
    app.get("/api/lanes", {n: 400})]); // the last ones: each lane has one
  return [totals(st), h("div", {class: "grid2"}, stages(st, app), best(st, app),
    laneTable(st, lanes, app), events(st, app), trouble(st, app))];
}

// --- who did what when ---

let bars = null;
export async function lanes(app) {
  const all = await app.get("/api/lanes");
  const rows = laneRows(all);
  if (!rows.length) return [h("p", {class: "dim"}, "No run has started yet.")];
  const start = Math.min(...all.map((a) => seconds(a.started)));
  const now = Math.max(...all.map((a) => seconds(a.ended) || 0),
    all.some((a) => !a.ended) ? Date.now() / 1000 : 0);
  const list = [];
  rows.forEach(([, attempts], row) => attempts.forEach((a) => list.push({
    row, x0: seconds(a.started) - start,
    x1: (seconds(a.ended) || now) - start, cls: a.state, run: a.run,
    text: `${a.stage} ${flops(a.budget)}`,
    title: [`${a.stage}, ${flops(a.budget)} flops, run ${a.run}`,
      `attempt ${a.attempt}: ${a.state}${a.reason ? ", " + a.reason : ""}`,
      `${span((seconds(a.ended) || now) - seconds(a.started))}, ${a.gang} slot${
        a.gang > 1 ? "s" : ""}, steps ${a.resumed_step} to ${
        a.steps ?? "now"} of ${a.all_steps}`]})));
  if (!bars) bars = new Bars({label: "What each lane did, over time",
    xname: "time since the start", yname: "lane", xlabel: (v) =>
      v < 0 ? "" : span(v).replace(" 00 s", "").replace(/\.0 s/, " s"),
    onclick: (x, y) => { const b = bars.at(x, y);
      if (b) app.go({view: "run", run: b.run}); }});
  bars.data = {rows: rows.map((r) => r[0]), bars: list};
  bars.draw();
  const busy = list.reduce((a, b) => a + b.x1 - b.x0, 0);
  return [h("section", {class: "card lanes"}, h("h2", {}, "Schedule"),
    h("p", {class: "dim"}, `${list.length} attempts on ${rows.length} lane${
      rows.length > 1 ? "s" : ""} in ${span(now - start)}; the lanes were at ` +
      `work ${percent(busy / (rows.length * (now - start) || 1))} of the ` +
      "time. Click a bar for its run."),
    bars.box, h("ul", {class: "legend"}, ["done", "running", "diverged",
      "failed", "preempted"].map((k) => h("li", {}, h("span",
      {class: "chip " + k}), k))))];
}
