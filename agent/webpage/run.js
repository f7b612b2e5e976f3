// One run, shown as it goes: the same for one under way and for one of before.

import { answersOf } from "./answers.js";
import { make, pieces, words } from "./elements.js";
import { roundsOf } from "./rounds.js";

const DOING = {
  decide: ({ round, done }) => (done ? `Round ${round}: trying what would help.` : `Round ${round}: deciding what to imagine.`),
  generate: ({ round, done, total }) => `Round ${round}: drawing, step ${done} of ${total}.`,
  reflect: ({ round }) => `Round ${round}: judging the drawing.`,
  answer: () => "Answering.",
};
const STOPS = {
  cancelled: "This run was stopped.",
  error: "This run failed.",
};
const TIMES = { domain: "check the picture", decide: "decide", generate: "draw", reflect: "judge", direct: "direct answer", answer: "answer with the thought", total: "in all" };

const title = document.title;
const stages = document.getElementById("stages");
const status = document.getElementById("status");
const shown = document.getElementById("shown");

/** Where the loop is; a name that is no step ends it. */
function stage(step) {
  const all = [...stages.children];
  const place = all.findIndex((entry) => entry.dataset.step === step);
  all.forEach((entry, index) => {
    entry.classList.toggle("past", step === "done" || index < place);
    if (index === place) entry.setAttribute("aria-current", "step");
    else entry.removeAttribute("aria-current");
  });
}

/** Say one sentence about the run, also to a screen reader. */
export function tell(text, failed = false) {
  if (status.textContent !== text) status.textContent = text;
  status.classList.toggle("failed", failed);
}

/** A question, of which a long one leaves room for its answers. */
function questionOf(text) {
  const heading = make("h2", { className: text.length > 160 ? "asked long" : "asked", dir: "auto" }, text);
  const more = make("button", { type: "button", className: "more", hidden: true, "aria-expanded": "false" }, "The whole question");
  more.addEventListener("click", () => more.setAttribute("aria-expanded", String(heading.classList.toggle("whole"))));
  new ResizeObserver(() => {
    if (!heading.matches(".whole")) more.hidden = heading.scrollHeight <= heading.clientHeight + 1;
  }).observe(heading);
  return [heading, more];
}

/** What was asked beside the pictures, the question and its options. */
function askedOf({ model, settings: { policy, rounds, reflect, seed, steps } }) {
  return make("p", { className: "quiet" }, pieces([model, `policy ${policy}`, `${rounds} ${rounds === 1 ? "round" : "rounds"}`,
    !reflect && "not judged", steps && `${steps} ${steps === 1 ? "step" : "steps"}`, `seed ${seed}`]));
}

/** Show a new run: gives a function that takes its events. `truth` is a promise of the right answer where it is known. */
export function show({ truth, again }) {
  const notes = make("div");
  let header, rounds, answers, links, times, direct, ended = false;
  shown.replaceChildren();
  document.title = title;
  stage("");

  const note = (text, kind = "note") => notes.append(make("p", { className: kind }, text));

  const taking = {
    waiting({ ahead }) {
      shown.append(notes); // the header, which comes with the run itself, moves them
      tell(`The server is busy, and this run waits for its turn${ahead ? `, after ${ahead} more` : ""}.`);
    },
    header(event) {
      header = event;
      document.title = `${event.question} · ${title}`;
      event.caveats.forEach((text) => note(text));
      answers = answersOf(event.options, truth);
      rounds = roundsOf(event.pictures, askedOf(event));
      times = make("dl", { "aria-labelledby": "timings" });
      links = make("p", { className: "links", hidden: true },
        make("a", { className: "button", href: `runs/${event.run}/page?download=1`, download: `g2u-${event.run}.html` }, "Save as one file"),
        make("a", { className: "button", href: `runs/${event.run}/page` }, "All its numbers"),
        make("button", { type: "button", onclick: () => again(header) }, "Ask this again"));
      shown.append(...questionOf(event.question), answers.all, notes,
        make("section", { className: "evidence", "aria-labelledby": "evidence" },
          make("h3", { id: "evidence" }, "Evidence"), rounds.strip, rounds.lines,
          make("div", { className: "times", hidden: true }, make("strong", { id: "timings" }, "Timings"), times)), links);
    },
    domain(event) {
      event.caveats.forEach((text) => note(text));
    },
    step(event) {
      if (!DOING[event.step]) return;
      stage(event.step);
      tell(DOING[event.step](event));
      rounds.step(event);
    },
    decision: (event) => rounds.decision(event),
    preview: (event) => rounds.preview(event),
    round: (event) => rounds.round(event),
    direct(event) {
      direct = event.answer;
    },
    answer({ answer }) {
      const imagined = answer.pictures.map(({ sha256 }) => sha256).join() !== header.pictures.map(({ sha256 }) => sha256).join();
      answers.show(direct, answer, imagined && answer.pictures.map(rounds.nameOf).join(" and "));
    },
    stop({ cause, message }) {
      if (cause === "cancelled") over(STOPS.cancelled);
      else if (cause === "error") taking.problem({ detail: message });
      else if (cause !== "rounds") note(message);
    },
    problem({ detail, hint }) {
      note(words({ detail, hint }), "problem");
      over(STOPS.error, true);
    },
    result({ seconds }) {
      times.parentElement.hidden = false;
      times.append(...Object.entries(TIMES).filter(([name]) => name in seconds).map(([name, words]) =>
        make("div", {}, make("dt", {}, words), make("dd", {}, `${seconds[name].toFixed(2)} s`))));
      over(`Done in ${seconds.total.toFixed(1)} seconds.`, false, "done");
    },
  };

  /** The run came to an end. */
  function over(text, failed = false, step = "") {
    ended = true;
    stage(step);
    if (header) {
      answers.end();
      rounds.end();
      links.hidden = false;
    }
    tell(text, failed);
  }

  return {
    take: (event) => taking[event.kind]?.(event),
    /** Nothing more comes: because it was stopped, or of itself. */
    end(stopped) {
      if (ended) return;
      over(stopped ? STOPS.cancelled : "This run has not come to its end.");
    },
    get name() {
      return header?.run;
    },
  };
}
