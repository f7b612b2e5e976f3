// One run, shown as it goes: the same for one under way and for one of before.

import { bars, make, pictureOf } from "./elements.js";

const DOING = {
  decide: ({ round, done }) => (done ? `Round ${round}: trying what would help.` : `Round ${round}: deciding what to imagine.`),
  generate: ({ round, done, total }) => `Round ${round}: drawing, step ${done} of ${total}.`,
  reflect: ({ round }) => `Round ${round}: judging the drawing.`,
  answer: () => "Answering.",
};
const STOPS = {
  rounds: "All rounds are used up; the answer came from what was there.",
  cancelled: "This run was stopped.",
  error: "This run failed.",
};

const MOST_STEPS = 16; // of a drawing that stay to be looked at

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
export function tell(text) {
  if (status.textContent !== text) status.textContent = text;
}

/** Show a new run: gives a function that takes its events. `truth` is the right answer where it is known. */
export function show({ truth, again }) {
  const rounds = new Map();
  const parts = { notes: make("div"), strip: make("ol", { className: "strip" }), answers: make("div", { className: "answers" }), links: make("p", { className: "links" }) };
  let header, direct, answer, ended = false;
  shown.replaceChildren();
  stage("");

  const note = (text, kind = "note") => parts.notes.append(make("p", { className: kind }, text));
  const nameOf = (picture) => {
    if (picture.sha256 === header.picture.sha256) return "the original";
    const found = [...rounds.values()].find((entry) => entry.thought === picture.sha256);
    return found ? `thought ${found.number}` : "another picture";
  };

  /** The figure of a round, made when it is first heard of. */
  function figure(number) {
    if (!rounds.has(number)) {
      const entry = { number, picture: make("div", { className: "blank" }, "deciding"), bar: make("progress", { hidden: true, "aria-label": `Drawing of round ${number}` }), steps: make("ol", { className: "steps", hidden: true, "aria-label": "How it was drawn" }), caption: make("figcaption") };
      entry.item = make("li", {}, make("figure", {}, entry.picture, entry.bar, entry.steps, entry.caption));
      rounds.set(number, entry);
      parts.strip.append(entry.item);
    }
    return rounds.get(number);
  }

  function put(entry, picture) {
    entry.picture.replaceWith(picture);
    entry.picture = picture;
  }

  function caption(entry, decision, title, verdict, extra = []) {
    entry.caption.replaceChildren(
      make("p", {}, make("strong", {}, title), verdict && make("span", { className: `tag ${verdict.action}` }, verdict.action)),
      make("p", {}, make("code", {}, decision.edit), " ", make("span", { className: "quiet" }, decision.family !== "none" && decision.family)),
      decision.instruction ? make("p", { dir: "auto" }, make("q", {}, decision.instruction)) : "",
      ...extra,
      decision.reason || Object.keys(decision.scores).length ? make("details", {}, make("summary", {}, "Why this edit"),
        make("p", { className: "quiet", dir: "auto" }, decision.reason), bars(decision.scores)) : "",
    );
  }

  /** An answer with its probabilities; none before there is one. */
  function card(value, title, about) {
    const right = truth === undefined ? null : value.text.trim().toLowerCase() === truth.toLowerCase();
    return make("section", { className: "answer" },
      make("h3", {}, title),
      make("p", { className: "said", dir: "auto" }, value.text || "(nothing)", right === null ? "" :
        make("span", { className: `mark ${right ? "right" : "wrong"}` }, right ? " ✓ right" : " ✗ wrong")),
      make("p", { className: "quiet" }, about),
      bars(value.probabilities),
      value.reasoning ? make("details", {}, make("summary", {}, "What it thought before"), make("p", { dir: "auto" }, value.reasoning)) : "");
  }

  const taking = {
    waiting({ ahead }) {
      shown.append(parts.notes); // the header, which comes with the run itself, moves them
      tell(`The server is busy, and this run waits for its turn${ahead ? `, after ${ahead} more` : ""}.`);
    },
    header(event) {
      header = event;
      const figureOf = make("li", {}, make("figure", {}, pictureOf(event.picture, "The original picture"),
        make("figcaption", {}, make("p", {}, make("strong", {}, "Original")),
          make("p", { className: "quiet" }, `${event.picture.width} × ${event.picture.height} pixels`))));
      parts.strip.append(figureOf);
      event.caveats.forEach((text) => note(text));
      parts.links.append(
        make("a", { className: "button", href: `runs/${event.run}/page?download=1`, download: `g2u-${event.run}.html` }, "Save as one file"),
        make("a", { className: "button", href: `runs/${event.run}/page` }, "All its numbers"),
        make("button", { type: "button", onclick: () => again(header) }, "Ask this again"));
      parts.links.hidden = true;
      const { policy, rounds: most, reflect, seed, steps } = event.settings;
      const set = [`policy ${policy}`, `${most} ${most === 1 ? "round" : "rounds"}`, !reflect && "not judged", steps && `${steps} steps`, `seed ${seed}`];
      shown.append(
        make("h2", { className: "asked", dir: "auto" }, event.question),
        event.options.length ? make("p", { className: "options" }, event.options.map((option) => make("span", { className: "option", dir: "auto" }, option))) : "",
        make("p", { className: "quiet" }, [event.model, ...set].filter(Boolean).join(", ")),
        parts.notes, parts.strip, parts.answers, parts.links);
    },
    domain(event) {
      event.caveats.forEach((text) => note(text));
    },
    step(event) {
      if (!DOING[event.step]) return;
      stage(event.step);
      tell(DOING[event.step](event));
      if (event.step === "answer") return;
      const entry = figure(event.round);
      entry.bar.hidden = event.total < 2 || event.done >= event.total;
      entry.bar.max = event.total;
      entry.bar.value = event.done;
    },
    decision({ round, decision }) {
      const entry = figure(round);
      caption(entry, decision, `Thought ${round}`, null);
      if (!entry.picture.matches("img")) entry.picture.textContent = "drawing";
    },
    preview(event) {
      const entry = figure(event.round);
      if (!entry.picture.matches("img.preview")) put(entry, make("img", { className: "small preview", alt: "The thought being drawn" }));
      entry.picture.src = event.picture;
      if (event.step === "decide") return; // several drawings are tried at once
      if (event.done === 1) entry.steps.replaceChildren();
      if (event.done % Math.ceil(event.total / MOST_STEPS) && event.done < event.total) return;
      entry.steps.append(make("li", {}, make("img", { src: event.picture, alt: `After step ${event.done} of ${event.total}` })));
      entry.steps.hidden = event.total < 2;
    },
    round({ round }) {
      const entry = figure(round.number);
      const { decision, verdict, thought } = round;
      entry.thought = thought?.sha256;
      entry.bar.hidden = true;
      if (thought) put(entry, pictureOf(thought, `Visual thought ${round.number}: ${decision.instruction}`));
      else put(entry, make("div", { className: "blank slim" }, decision.edit !== "none" ? "nothing drawn" : round.number > 1 ? "nothing more to imagine" : "nothing to imagine"));
      caption(entry, decision, thought ? `Thought ${round.number}` : `Round ${round.number}`, thought && verdict, [
        thought && !verdict ? make("p", { className: "quiet" }, "Not judged.") : "",
        verdict ? bars(verdict.probabilities) : "",
        thought ? make("p", { className: "quiet" }, `Drawn from ${nameOf(round.source)}.`) : "",
        round.plan ? make("details", {}, make("summary", {}, "Plan before drawing"), make("p", { dir: "auto" }, round.plan)) : "",
      ]);
    },
    direct(event) {
      direct = event.answer;
    },
    answer(event) {
      answer = event.answer;
      const read = answer.pictures.map(nameOf).join(" and ");
      const imagined = answer.pictures.some((picture) => picture.sha256 !== header.picture.sha256);
      parts.answers.replaceChildren(
        card(direct, "Direct answer", "From the original alone."),
        card(answer, imagined ? "With the thought" : "The direct answer stands", imagined ? `From ${read}.` : "No thought was kept."));
      if (truth !== undefined) parts.answers.after(make("p", { className: "truth" }, make("span", { className: "quiet" }, "The right answer: "), truth));
    },
    stop({ cause, message }) {
      if (cause !== "rounds") note([STOPS[cause] ?? message, cause === "error" && message].filter(Boolean).join(" "));
      if (cause === "cancelled" || cause === "error") over(STOPS[cause]);
    },
    problem({ detail, hint }) {
      note([detail, hint].filter(Boolean).join(" "), "problem");
      over(STOPS.error);
    },
    result({ seconds }) {
      over(`Done in ${seconds.total.toFixed(1)} seconds.`, "done");
    },
  };

  /** The run came to an end. */
  function over(text, step = "") {
    ended = true;
    stage(step);
    for (const entry of rounds.values()) {
      entry.bar.hidden = true;
      if (entry.picture.matches(".preview")) entry.caption.append(make("p", { className: "quiet" }, "Not finished."));
      if (entry.picture.matches(".blank") && /^(deciding|drawing)$/.test(entry.picture.textContent)) {
        if (entry.caption.childElementCount) entry.picture.textContent = "not finished";
        else entry.item.remove();
      }
    }
    parts.links.hidden = !header;
    tell(text);
  }

  return {
    take: (event) => taking[event.kind]?.(event),
    /** Nothing more comes: because it was stopped, or of itself. */
    end(stopped) {
      if (ended) return;
      if (stopped) note(STOPS.cancelled);
      over(stopped ? STOPS.cancelled : "This run has not come to its end.");
    },
    get name() {
      return header?.run;
    },
  };
}
