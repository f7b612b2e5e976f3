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
  const view = show({ truth: form.truthOf(question.picture.sha256, question.question), again });
  busy(controller);
  tell("Getting ready.");
  if (narrow.matches) part("run").scrollIntoView({ block: "start" });
  try {
    for await (const event of ask(question, controller.signal)) {
      view.take(event);
      if (event.kind === "header") history.replaceState(null, "", `#run=${event.run}`);
    }
    view.end(false);
  } catch (error) {
    view.end(controller.signal.aborted);
    if (error instanceof Problem) {
      say(problem, words(error.problem));
      tell("Nothing was asked.");
      problem.scrollIntoView({ block: "nearest" });
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

/** Show the run in the address. */
async function open() {
  const name = new URLSearchParams(location.hash.slice(1)).get("run");
  if (!name) return;
  if (under) {
    say(problem, "A run is under way. Stop it first, to look at another.");
    return;
  }
  past.mark(name);
  tell("Opening it.");
  try {
    const events = await read(`runs/${encodeURIComponent(name)}`);
    const header = events.find((event) => event.kind === "header");
    const view = show({ truth: form.truthOf(header.picture.sha256, header.question), again });
    events.forEach(view.take);
    view.end(false);
    part("run").focus({ preventScroll: true });
    part("run").scrollIntoView({ block: "start" });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    tell(words(error.problem));
  }
}

part("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  if (under) return;
  say(problem, "");
  try {
    run(form.asked());
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    say(problem, words(error.problem));
  }
});
stop.addEventListener("click", () => under?.abort());
document.addEventListener("keydown", (event) => event.key === "Escape" && under?.abort());
addEventListener("hashchange", open);

const linked = location.hash; // who asks before all is there has another address by then
await Promise.all([form.start(() => say(problem, "")), past.load()]);
if (location.hash === linked) await open();
