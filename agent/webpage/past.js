// Past runs: a list, the newest first.

import { make, pictureOf } from "./elements.js";
import { Problem, read } from "./stream.js";

const list = document.getElementById("runs");
const older = document.getElementById("older");
const none = document.getElementById("past-none");
const time = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

const blank = (text) => make("div", { className: "blank" }, text);

function row(run) {
  if (run.damaged) return make("li", {}, make("p", { className: "note" }, run.damaged));
  const outcome = run.answer === null ? run.status : run.answer === run.direct ? run.answer : `${run.direct} → ${run.answer}`;
  const link = make("a", { href: `#run=${run.run}` },
    pictureOf(run.picture, "", 128),
    run.thought ? pictureOf(run.thought, "", 128) : blank("no thought"),
    make("div", { className: "words" },
      make("p", { className: "question", dir: "auto" }, run.question),
      make("p", { dir: "auto" }, make("strong", {}, outcome), " ", run.status !== "done" && run.answer !== null && make("span", { className: `tag ${run.status}` }, run.status)),
      make("p", { className: "quiet" }, [run.edits.join(", "), time.format(new Date(run.created))].filter(Boolean).join(" · "))));
  link.dataset.run = run.run;
  return make("li", {}, link);
}

/** Mark the run that is shown. */
export function mark(name) {
  for (const link of list.querySelectorAll("a")) {
    if (link.dataset.run === name) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

/** List the newest runs, or with the name of a run those before it. */
export async function load(before = "") {
  let found;
  try {
    found = await read(`runs?before=${encodeURIComponent(before)}`);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return;
  }
  const rows = found.runs.map(row);
  if (before) list.append(...rows);
  else list.replaceChildren(...rows);
  if (before && rows[0]) rows[0].querySelector("a")?.focus();
  none.hidden = list.childElementCount > 0;
  older.hidden = !found.more;
  older.onclick = () => load(found.runs.at(-1).run);
}
