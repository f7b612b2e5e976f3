// Past runs: a compact list, the newest first, and a filter that looks through all of them.

import { make, pictureOf, words } from "./elements.js";
import { Problem, read } from "./stream.js";

const [list, older, told, filter] = ["runs", "older", "past-told", "filter"].map((name) => document.getElementById(name));
const SHOWN = { hour: "numeric", minute: "2-digit" }, DAY = { month: "short", day: "numeric" };

let marked = "";
let asking = new AbortController();

/** When a run began, as short as it can be told: time today, day and time this year, day before. */
function timeOf(created) {
  const date = new Date(created), now = new Date();
  const thisYear = date.getFullYear() === now.getFullYear();
  const parts = date.toDateString() === now.toDateString() ? SHOWN : thisYear ? { ...DAY, ...SHOWN } : { ...DAY, year: "numeric" };
  return make("time", { dateTime: created, title: date.toLocaleString() }, new Intl.DateTimeFormat(undefined, parts).format(date));
}

/** What came of a run: its answer, or both where they differ. */
function outcomeOf({ direct, answer, status }) {
  if (answer === null) return [make("span", { className: `tag ${status}` }, status)];
  const changed = direct !== answer && [make("bdi", {}, direct), make("span", { "aria-hidden": "true" }, " → "),
    make("span", { className: "unseen" }, " with the thought ")];
  return [changed, make("strong", {}, make("bdi", {}, answer)), status !== "done" && [" ", make("span", { className: `tag ${status}` }, status)]].flat();
}

function row(run) {
  if (run.damaged) return make("li", {}, make("p", { className: "note" }, run.damaged));
  const link = make("a", { href: `#run=${run.run}`, "aria-current": run.run === marked && "true" },
    run.pictures.length > 1 ? make("span", { className: "several" }, run.pictures.slice(0, 4).map((picture) => pictureOf(picture, "", 128)))
      : pictureOf(run.pictures[0], "", 128),
    run.thought ? pictureOf(run.thought, "", 128) : make("div", { className: "blank" }, make("span", { className: "unseen" }, "no thought")),
    make("span", { className: "question", dir: "auto" }, run.question), " ",
    make("span", { className: "outcome" }, outcomeOf(run)), " ",
    make("span", { className: "edits quiet" }, run.edits.join(", ")), " ",
    timeOf(run.created));
  link.dataset.run = run.run;
  return make("li", {}, link);
}

/** Mark the run that is shown. */
export function mark(name) {
  marked = name;
  for (const link of list.querySelectorAll("a")) {
    if (link.dataset.run === name) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

/** List the newest runs that the filter lets through, or with the name of a run those before it. */
export async function load(before = "") {
  asking.abort();
  asking = new AbortController();
  const wanted = filter.value.trim();
  let found;
  try {
    found = await read(`runs?${new URLSearchParams({ before, filter: wanted })}`, { signal: asking.signal });
  } catch (error) {
    if (error.name === "AbortError") return; // the filter has changed
    if (!(error instanceof Problem)) throw error;
    told.textContent = `Past runs cannot be listed. ${words(error.problem)}`;
    return;
  }
  const rows = found.runs.map(row);
  if (before) list.append(...rows);
  else list.replaceChildren(...rows);
  if (before) rows[0]?.querySelector("a")?.focus();
  const count = list.childElementCount;
  if (wanted) told.textContent = `${count || "No"} ${count === 1 ? "run matches" : "runs match"}${found.more ? " so far" : ""}.`;
  else told.textContent = count ? "" : "There are none yet.";
  older.hidden = !found.more;
  older.onclick = () => load(found.last);
}

/** Listen to the filter, and list what there is. */
export async function start() {
  filter.addEventListener("input", () => load());
  await load();
}
