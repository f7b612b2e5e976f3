"use strict";
// The list of runs, its filters, which are kept in the address, and two runs side by side.

const PAGE = 100;
const runs = JSON.parse(document.getElementById("data").textContent);
const form = document.querySelector(".filters");
const body = document.querySelector(".runs tbody");
const panel = document.querySelector(".compare");
const more = document.querySelector(".show-more");
const SELECTS = ["status", "edits", "verdicts", "model", "policy"];
let chosen = [];
let limit = PAGE;

/** An element with attributes and children; texts become text, never HTML. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

const valuesOf = (run, name) => (Array.isArray(run[name]) ? run[name] : [run[name]]);
const tag = (text) => make("span", { class: `tag ${text}` }, text);
const spaced = (parts) => parts.flatMap((part, place) => (place ? [" ", part] : [part]));

function picture(shown, alt) {
  if (!shown) return make("span", { class: "quiet" }, "none");
  const [width, height] = shown.size;
  return make("img", { src: shown.at, alt, width, height, loading: "lazy", class: width <= 256 ? "small" : null });
}

/** What one of the pictures of a question is, for who does not see it. */
const originalName = (run, place) => (run.pictures.length > 1 ? `Original picture ${place + 1}` : "The original picture");

function thoughtOf(run) {
  const read = run.final ? run.final.read : [];
  const at = run.rounds.findLastIndex((round, place) => round.thought && read.includes(`thought ${place + 1}`));
  return (at < 0 ? run.rounds.findLast((round) => round.thought) : run.rounds[at])?.thought;
}

function row(run) {
  const box = make("input", { type: "checkbox", "aria-label": `Compare ${run.run}` });
  box.checked = chosen.includes(run);
  box.addEventListener("change", () => choose(run, box.checked));
  return make(
    "tr",
    {},
    make("td", {}, box),
    make("td", {}, run.pictures.map((shown, place) => picture(shown, originalName(run, place)))),
    make("td", {}, picture(thoughtOf(run), "The visual thought")),
    make("th", { scope: "row" }, run.page ? make("a", { href: run.page }, run.question) : run.question),
    make("td", {}, make("code", {}, run.edits.join(", ") || "–")),
    make("td", {}, spaced(run.verdicts.map(tag))),
    make("td", {}, run.direct_answer ?? "–"),
    make("td", {}, run.answer ?? "–", run.answer !== null && !run.imagined ? make("span", { class: "quiet" }, " (direct)") : ""),
    make("td", {}, tag(run.status)),
    make("td", {}, make("time", { datetime: run.created }, run.created.slice(0, 16).replace("T", " "))),
  );
}

function show() {
  const data = new FormData(form);
  const words = String(data.get("text")).toLowerCase().split(/\s+/).filter(Boolean);
  const found = runs.filter((run) => {
    const text = [run.question, run.answer, run.direct_answer, run.run, ...run.options].join(" ").toLowerCase();
    return words.every((word) => text.includes(word))
      && SELECTS.every((name) => !data.get(name) || valuesOf(run, name).includes(data.get(name)));
  });
  document.querySelector(".count").textContent = `${found.length} of ${runs.length} runs.`;
  body.replaceChildren(...found.slice(0, limit).map(row));
  more.hidden = found.length <= limit;
  const kept = new URLSearchParams([...data].filter(([, value]) => value));
  for (const run of chosen) kept.append("compare", run.run);
  history.replaceState(null, "", kept.size ? `#${kept}` : location.pathname + location.search);
}

function choose(run, wanted) {
  chosen = chosen.filter((other) => other !== run);
  if (wanted) chosen = [...chosen.slice(-1), run]; // a third takes the place of the first
  compare();
  show();
}

function side(run) {
  const answer = (title, value) => make(
    "div",
    {},
    make("p", { class: "quiet" }, title, value ? `; read: ${value.read.join(", ")}` : ""),
    make("p", { class: "said" }, value ? value.text || "(empty)" : "There is none."),
    value && Object.keys(value.sure).length
      ? make("p", { class: "quiet" }, Object.entries(value.sure).map(([option, share]) => `${option} ${(100 * share).toFixed(1)} %`).join(", "))
      : "",
  );
  const originals = run.pictures.map((shown, place) => make(
    "figure",
    {},
    picture(shown, originalName(run, place)),
    make("figcaption", {}, run.pictures.length > 1 ? `Original ${place + 1}` : "Original"),
  ));
  const figures = run.rounds.map((round, place) => make(
    "figure",
    {},
    round.thought ? picture(round.thought, `Thought ${place + 1}: ${round.instruction}`) : make("p", { class: "quiet" }, "nothing drawn"),
    make("figcaption", {}, make("code", {}, round.edit), " ", round.verdict ? tag(round.verdict) : "", make("p", {}, round.instruction), run.pictures.length > 1 && round.thought ? make("p", { class: "quiet" }, `from ${round.from}`) : "", make("p", { class: "quiet" }, round.why || round.reason)),
  ));
  return make(
    "article",
    { class: "side" },
    make("h3", {}, run.page ? make("a", { href: run.page }, run.question) : run.question),
    make("p", { class: "quiet" }, `${run.run} `, tag(run.status)),
    run.notes.map((note) => make("p", { class: "note" }, note)),
    make("div", { class: "strip" }, originals, figures),
    answer("Direct answer", run.direct),
    answer(run.imagined ? "Imagined answer" : "The direct answer stands", run.final),
  );
}

function compare() {
  panel.hidden = !chosen.length;
  if (!chosen.length) return;
  const close = make("button", { type: "button" }, "Close");
  close.addEventListener("click", () => {
    chosen = [];
    compare();
    show();
  });
  const facts = (run) => ({ ...run.settings, ...Object.fromEntries(Object.entries(run.timings).map(([step, value]) => [`seconds: ${step}`, value.toFixed(3)])) });
  const sides = chosen.map(facts);
  const names = [...new Set(sides.flatMap(Object.keys))];
  const rows = names.map((name) => {
    const values = sides.map((values) => values[name] ?? "–");
    return make("tr", { class: new Set(values).size > 1 && !name.startsWith("seconds:") ? "differs" : null }, make("th", { scope: "row" }, name), values.map((value) => make("td", {}, value)));
  });
  const table = make("table", { class: "settings" }, make("thead", {}, make("tr", {}, ["Setting", ...chosen.map((run) => run.run)].map((name) => make("th", { scope: "col" }, name)))), make("tbody", {}, rows));
  const title = chosen.length > 1 ? "Two runs compared" : "One run; choose another to compare";
  panel.replaceChildren(
    make("header", {}, make("h2", {}, title), close),
    make("div", { class: "sides" }, chosen.map(side)),
    make("details", { open: chosen.length > 1 }, make("summary", {}, "Settings and timings"), make("div", { class: "wide" }, table)),
  );
}

function restore() {
  const asked = new URLSearchParams(location.hash.slice(1));
  for (const name of ["text", ...SELECTS]) form.elements[name].value = asked.get(name) ?? "";
  for (const name of SELECTS) form.elements[name].value ||= "";
  chosen = asked.getAll("compare").map((name) => runs.find((run) => run.run === name)).filter(Boolean).slice(0, 2);
  limit = PAGE;
  compare();
  show();
}

for (const name of SELECTS) {
  const counts = new Map();
  for (const run of runs) for (const value of new Set(valuesOf(run, name))) counts.set(value, (counts.get(value) ?? 0) + 1);
  const options = [...counts].sort(([one], [other]) => one.localeCompare(other, "en"));
  form.elements[name].append(make("option", { value: "" }, "any"), ...options.map(([value, count]) => make("option", { value }, `${value} (${count})`)));
}
form.addEventListener("input", () => {
  limit = PAGE;
  show();
});
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(show));
more.addEventListener("click", () => {
  limit += PAGE;
  show();
});
addEventListener("hashchange", restore);
restore();
