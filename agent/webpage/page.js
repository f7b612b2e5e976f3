// The page: asks, watches, stops, and opens runs of before.

import { say, words } from "./elements.js";
import * as form from "./form.js";
import * as past from "./past.js";
import { show, tell } from "./run.js";
import { Problem, ask, read } from "./stream.js";

const part = (name) => document.getElementById(name);
const [go, stop, problem] = ["go", "stop", "ask-problem"].map(part);
const narrow = matchMedia("(max-width: 52rem)");
let under = null;

/** Ask again what a run asked. */
function again(header) {
  form.fill(header);
  part("question").focus();
}

function complain(text) {
  say(problem, text);
  problem.scrollIntoView({ block: "nearest" });
}

function busy(controller) {
  const focused = document.activeElement;
  under = controller;
  go.disabled = controller !== null;
  stop.hidden = controller === null;
  if (controller && focused === go) stop.focus();
  if (!controller && (focused === stop || focused === document.body)) go.focus({ preventScroll: true });
}

async function run(question) {
  const controller = new AbortController();
  const view = show({ truth: form.truthOf(question.pictures, question.question), again });
  busy(controller);
  tell("Getting ready.");
  if (narrow.matches) part("run").scrollIntoView();
  try {
    for await (const event of ask(question, controller.signal)) {
      view.take(event);
      if (event.kind !== "header") continue;
      history.replaceState(null, "", `#run=${event.run}`);
      if (narrow.matches) part("run").scrollIntoView(); // before, there was too little to scroll so far
    }
    view.end(false);
  } catch (error) {
    view.end(controller.signal.aborted);
    if (error instanceof Problem) {
      tell("Nothing was asked.");
      complain(words(error.problem));
    } else if (error.name !== "AbortError") throw error;
  } finally {
    busy(null);
  }
  for (const wait of controller.signal.aborted ? [0, 1000] : [0]) { // the server writes down that it was stopped
    await new Promise((resolve) => setTimeout(resolve, wait));
    await past.load();
    past.mark(view.name);
  }
}

const named = () => new URLSearchParams(location.hash.slice(1)).get("run");

/** Go to the run, where it is not in sight. */
function goToRun() {
  part("run").focus({ preventScroll: true });
  if (narrow.matches || part("run").getBoundingClientRect().top < 0) part("run").scrollIntoView();
}

/** Show the run in the address. */
async function open() {
  const name = named();
  if (!name) return;
  if (under) {
    complain("A run is under way. Stop it first, to look at another.");
    return;
  }
  past.mark(name);
  tell("Opening it.");
  goToRun();
  try {
    const events = await read(`runs/${encodeURIComponent(name)}`);
    if (under || named() !== name) return; // something else was asked or opened meanwhile
    const header = events.find((event) => event.kind === "header");
    const view = show({ truth: form.truthOf(header.pictures, header.question), again });
    events.forEach(view.take);
    view.end(false);
    goToRun();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    tell(words(error.problem), true);
  }
}

/** On a phone what a link leads to comes first, so that nothing that loads later can push it away. */
function arrange() {
  if (narrow.matches) document.querySelector("main").prepend(part("run"));
  else document.querySelector("main").append(part("run"));
}

part("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  if (under) return;
  say(problem, "");
  try {
    run(form.asked());
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    complain(words(error.problem));
  }
});
stop.addEventListener("click", () => under?.abort());
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.target.matches("input[type=search]")) under?.abort(); // which Escape clears
});
addEventListener("hashchange", open);

if (named()) {
  arrange();
  narrow.addEventListener("change", arrange);
}
await Promise.all([form.start(() => say(problem, "")), past.start(), open()]);
