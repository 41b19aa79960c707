// dom: elements, numbers for people, and answers of the server.

// h("td", {class: "n"}, "text", child): text is always text, never markup.
export function h(tag, attrs, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attrs || {})) {
    if (k.startsWith("on")) e.addEventListener(k.slice(2), v);
    else if (v === true) e.setAttribute(k, "");
    else if (v !== false && v != null) e.setAttribute(k, v);
  }
  e.append(...children.flat(Infinity).filter((c) => c != null && c !== false));
  return e;
}

const NS = "http://www.w3.org/2000/svg";
export function s(tag, attrs, ...children) {
  const e = document.createElementNS(NS, tag);
  for (const [k, v] of Object.entries(attrs || {})) e.setAttribute(k, v);
  e.append(...children.filter((c) => c != null));
  return e;
}

// 1.2e+7 -> 1.2e7; small whole numbers as they are; null is nothing.
export function num(v, digits = 4) {
  if (v == null || !isFinite(v)) return "";
  if (Number.isInteger(v) && Math.abs(v) < 1e5) return String(v);
  return String(Number(v).toPrecision(digits))
    .replace(/(\.\d*?)0+(e|$)/, "$1$2").replace(/\.(e|$)/, "$1")
    .replace("e+", "e");
}
export const flops = (v) => v == null ? "" :
  v.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e");
export const percent = (v, digits = 1) =>
  v == null || !isFinite(v) ? "" : (100 * v).toFixed(digits) + " %";
export function span(sec) {
  if (sec == null || !isFinite(sec)) return "";
  if (sec < 60) return sec.toFixed(sec < 10 ? 1 : 0) + " s";
  if (sec < 3600) return Math.floor(sec / 60) + " min " +
    String(Math.round(sec % 60)).padStart(2, "0") + " s";
  if (sec < 86400) return Math.floor(sec / 3600) + " h " +
    String(Math.floor(sec % 3600 / 60)).padStart(2, "0") + " min";
  return (sec / 86400).toFixed(1) + " d";
}
export const clock = (iso) => iso ? iso.slice(5, 16).replace("T", " ") : "";
export const seconds = (iso) => iso ? Date.parse(iso) / 1000 : null;

export const state = (name) => h("span", {class: "state " + name}, name || "");

// A table: columns are {head, cell(row), n: right-aligned, title}.
export function table(caption, columns, rows, empty = "None.") {
  if (!rows.length) return h("p", {class: "dim"}, empty);
  const cells = (r) => columns.map((c) =>
    h("td", {class: c.n ? "n" : c.long ? "long" : "s"}, c.cell(r)));
  return h("div", {class: "wide", tabindex: 0, role: "region",
    "aria-label": caption},
    h("table", {}, h("thead", {}, h("tr", {}, columns.map((c) =>
      h("th", {scope: "col", class: c.n ? "n" : "", title: c.title}, c.head)))),
    h("tbody", {}, rows.map((r) => h("tr", {}, cells(r))))));
}

// Ids have 63 bits: they are text here.
const parse = (text) =>
  JSON.parse(text.replace(/"run": ?(\d{16,})/g, '"run":"$1"'));

// An answer, and whether it is another than the last one of this URL.
const kept = new Map();
export async function ask(url) {
  const had = kept.get(url);
  const r = await fetch(url, {cache: "no-store",
    headers: had && had.tag ? {"If-None-Match": had.tag} : {}});
  if (r.status === 304) return {data: had.data, fresh: false};
  const text = await r.text();
  if (!r.ok) {
    let why = text;
    try { why = JSON.parse(text).error; } catch { /* not ours */ }
    const e = new Error(why);
    e.status = r.status;
    throw e;
  }
  if (had && had.text === text) {
    had.tag = r.headers.get("ETag");
    return {data: had.data, fresh: false};
  }
  if (kept.size > 60) kept.delete(kept.keys().next().value);
  const data = parse(text);
  kept.set(url, {tag: r.headers.get("ETag"), text, data});
  return {data, fresh: true};
}

// "api/runs" and what is not empty of the arguments.
export function path(name, args) {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(args))
    if (v != null && v !== "") q.set(k, v);
  return name + (q.size ? "?" + q : "");
}
