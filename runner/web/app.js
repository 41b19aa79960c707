// app: the address of the page is its state; the server is asked again while
// the page is looked at.
import {h, ask, path} from "/dom.js";
import {overview, lanes} from "/overview.js";
import {runs, run, curves, query} from "/runs.js";
import {laws, predictions} from "/laws.js";

const POLL = 2000, SLOW = 15000;
const views = [["overview", "Overview", overview], ["runs", "Runs", runs],
  ["curves", "Curves", curves], ["laws", "Laws", laws],
  ["predictions", "Predictions", predictions], ["lanes", "Schedule", lanes],
  ["query", "Query", query], ["run", null, run]];
const $ = (id) => document.getElementById(id);

const app = {
  args: new URLSearchParams(location.search),
  study: "", studies: null, at: null,
  arg: (k) => app.args.get(k) || "",
  list: (k) => app.arg(k).split(",").filter(Boolean),
  view: () => views.find((v) => v[0] === app.arg("view")) || views[0],

  // The address with some of its arguments changed; "" takes one away.
  url(change) {
    const q = new URLSearchParams(app.args);
    for (const [k, v] of Object.entries(change))
      if (v === "" || v == null) q.delete(k); else q.set(k, v);
    if (q.get("view") === "overview") q.delete("view");
    if (q.get("view") !== "run") q.delete("run");
    if ("view" in change || "pick" in change) q.delete("zoom");
    return "/" + (q.size ? "?" + q : "");
  },
  go(change, replace) {
    const url = app.url(change);
    if (replace) history.replaceState(null, "", url);
    else history.pushState(null, "", url);
    app.moved("view" in change);
  },
  // The same without drawing again.
  quietly(change) {
    history.replaceState(null, "", app.url(change));
    app.args = new URLSearchParams(location.search);
  },
  moved(top) {
    app.args = new URLSearchParams(location.search);
    app.study = app.arg("study") || (app.studies.studies.length ?
      app.studies.studies[0].study : "");
    if (top) { scrollTo(0, 0); $("view").focus({preventScroll: true}); }
    return app.render();
  },
  link: (change, text, label) => h("a", {href: app.url(change),
    "aria-label": label, onclick: (e) => {
      if (e.ctrlKey || e.metaKey || e.shiftKey) return;
      e.preventDefault();
      e.stopPropagation();
      app.go(change);
    }}, text),

  async get(name, args = {}) {
    const r = await ask(path(name, {study: app.arg("study"), ...args}));
    app.fresh = app.fresh || r.fresh;
    return r.data;
  },
  status: () => app.get("/api/status"),

  tabs() {
    const now = app.view()[0];
    $("tabs").replaceChildren(...views.filter((v) => v[1]).map((v) => {
      const a = app.link({view: v[0], run: ""}, v[1]);
      if (v[0] === now || (now === "run" && v[0] === "runs"))
        a.setAttribute("aria-current", "page");
      return a;
    }), h("a", {href: path("/report", {study: app.arg("study")})}, "Report"));
  },

  // Draw the view; what has the focus keeps it, a text its cursor.
  async render() {
    const turn = app.turn = (app.turn || 0) + 1, view = app.view();
    app.tabs();
    app.again = false; // a view may want to be asked again
    try {
      const parts = await view[2](app);
      if (turn !== app.turn) return;
      const on = document.activeElement, key = on && on.dataset &&
        on.dataset.key;
      const cursor = key && on.selectionStart != null ?
        [on.value, on.selectionStart, on.selectionEnd] : null;
      const chart = on && on.closest && on.closest(".chart");
      $("view").replaceChildren(...parts.flat().filter(Boolean));
      const again = key && $("view").querySelector(
        `[data-key="${CSS.escape(key)}"]`);
      if (again) {
        again.focus({preventScroll: true});
        if (cursor) { again.value = cursor[0];
          again.setSelectionRange(cursor[1], cursor[2]); }
      } else if (chart && chart.isConnected) {
        chart.focus({preventScroll: true});
      }
      $("study").textContent = app.study || "loglog";
      document.title = (app.study || "loglog") + " \u00b7 " +
        (view[1] || "Run");
      app.live(true);
    } catch (e) {
      if (turn === app.turn) app.failed(e);
    }
  },
  failed(e) {
    app.live(false, e);
    if (e.status)
      $("view").replaceChildren(h("p", {class: "note", role: "alert"},
        e.message));
  },
  live(on, e) {
    app.down = !on;
    $("live").className = on ? "on" : "off";
    $("live").textContent = on ? "live" : e && e.status === 403 ?
      "the server was started again: open its new URL" :
      e && e.status ? "refused" : "no answer, trying again";
  },
};

// Ask whether anything has changed, and draw again if so.
async function poll() {
  let wait = document.hidden || app.down ? SLOW : POLL;
  try {
    app.fresh = false;
    const was = app.down, st = await app.status();
    if ((app.fresh || was || app.again) && !app.arg("figure") && !held()) {
      app.studies = await app.get("/api/studies");
      await app.render();
    } else if (st) {
      app.live(true);
    }
  } catch (e) {
    app.live(false, e);
    wait = e.status === 403 ? SLOW * 4 : POLL * 2;
  }
  setTimeout(poll, wait);
}

// While a list is open or a text is selected, nothing moves.
const held = () => {
  const on = document.activeElement;
  return (on && (on.tagName === "SELECT" || on.tagName === "TEXTAREA")) ||
    String(getSelection()).length > 0;
};

function step(by) {
  const rows = [...document.querySelectorAll("#runs tbody tr")];
  if (!rows.length) return;
  const i = rows.findIndex((r) => r.dataset.run === app.at);
  const to = rows[Math.max(0, Math.min(rows.length - 1, i + by))];
  rows.forEach((r) => r.classList.toggle("at", r === to));
  app.at = to.dataset.run;
  to.scrollIntoView({block: "nearest"});
}

addEventListener("keydown", (e) => {
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName) &&
    e.target.type !== "checkbox";
  if (e.ctrlKey || e.metaKey || e.altKey || document.querySelector(
    "dialog[open]")) return;
  if (e.key === "Escape" && typing) { e.target.blur(); return; }
  if (typing) return;
  const n = "1234567".indexOf(e.key);
  if (n >= 0) app.go({view: views[n][0], run: ""});
  else if (e.key === "/") {
    if (app.view()[0] !== "runs") { app.go({view: "runs"}); return; }
    $("filter").focus();
  } else if (e.key === "?") $("keys").showModal();
  else if (e.key === "j") step(1);
  else if (e.key === "k") step(-1);
  else if (e.key === "Enter" && app.at && app.view()[0] === "runs" &&
    !e.target.closest("a, button")) app.go({view: "run", run: app.at});
  else if (e.key === "x" && app.at && app.view()[0] === "runs") {
    const set = new Set(app.list("pick"));
    if (!set.delete(app.at)) set.add(app.at);
    app.go({pick: [...set].join()}, true);
  } else if (e.key === "Escape" && app.view()[0] === "run")
    history.back();
  else return;
  e.preventDefault();
});
addEventListener("popstate", () => app.moved(true));
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && app.studies) app.render();
});

function chooser() {
  const all = app.studies.studies, box = $("studies");
  box.hidden = all.length < 2;
  $("study").hidden = all.length > 1;
  box.replaceChildren(...all.map((x) => h("option", {value: x.study,
    selected: x.study === app.arg("study")}, x.study)));
  box.onchange = () => app.go({study: box.value, pick: "", run: "",
    stage: "", budget: ""});
  if (all.length > 1 && !app.arg("study"))
    history.replaceState(null, "", app.url({study: all[0].study}));
}

async function start() {
  try {
    app.studies = await app.get("/api/studies");
    chooser();
    await app.moved();
    setTimeout(poll, POLL);
  } catch (e) {
    app.failed(e);
    setTimeout(start, SLOW);
  }
}
start();
