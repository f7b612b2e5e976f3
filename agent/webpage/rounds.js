// The rounds of a run: each drawing in a column beside the originals, each round without one in a line below.

import { bars, make, pictureOf, pieces } from "./elements.js";

const MOST_STEPS = 16; // of a drawing that stay to be looked at

const still = matchMedia("(prefers-reduced-motion: reduce)");

/** Why an edit was picked, folded away; nothing where no more is known. */
const why = ({ reason, scores }) => (reason || Object.keys(scores).length ? make("details", {}, make("summary", {}, "Why this edit"),
  make("p", { className: "quiet", dir: "auto" }, reason), bars(scores)) : null);

/** What one of the pictures of a question is called. */
const nameOfOriginal = (originals, place) => (originals.length > 1 ? `Original ${place + 1}` : "Original");

/** The rounds of a run that asks about pictures; `about` is told below the first of them. */
export function roundsOf(originals, about) {
  const rounds = new Map();
  const strip = make("ol", { className: "strip" }, originals.map((original, place) => {
    const name = nameOfOriginal(originals, place);
    return make("li", {}, make("figure", {}, pictureOf(original, originals.length > 1 ? `${name} picture` : "The original picture"), make("figcaption", {},
      make("p", {}, make("strong", {}, name)),
      make("p", { className: "quiet" }, pieces([`${original.width} × ${original.height} pixels`])),
      place === 0 && about)));
  }));
  const lines = make("ul", { className: "lines" });

  const nameOf = (picture) => {
    const found = [...rounds.values()].find((entry) => entry.thought === picture.sha256);
    if (found) return `thought ${found.number}`;
    const place = originals.findIndex((original) => original.sha256 === picture.sha256);
    if (place < 0) return "another picture";
    return originals.length > 1 ? `original ${place + 1}` : "the original";
  };

  /** The column of a round, made when there is something to draw. */
  function column(number) {
    if (!rounds.has(number)) {
      const entry = { number, decision: null };
      entry.picture = make("div", { className: "blank" }, "drawing");
      entry.bar = make("progress", { hidden: true, "aria-label": `Drawing of round ${number}` });
      entry.steps = make("ol", { className: "steps", hidden: true, "aria-label": "How it was drawn" });
      entry.caption = make("figcaption");
      entry.item = make("li", {}, make("figure", {}, entry.picture, entry.bar, entry.steps, entry.caption));
      rounds.set(number, entry);
      strip.append(entry.item);
    }
    return rounds.get(number);
  }

  function put(entry, picture) {
    entry.picture.replaceWith(picture);
    entry.picture = picture;
  }

  function describe(entry, decision, title, verdict, ...extra) {
    entry.decision = decision;
    entry.caption.replaceChildren(...[
      make("p", {}, make("strong", {}, title), verdict && make("span", { className: `tag ${verdict.action}` }, verdict.action)),
      make("p", {}, make("code", {}, decision.edit), " ", make("span", { className: "quiet" }, decision.family, decision.on && `, on picture ${decision.on}`)),
      decision.instruction && make("p", { dir: "auto" }, make("q", {}, decision.instruction)),
      ...extra,
      why(decision),
    ].filter(Boolean));
  }

  /** A round that left no drawing takes no column. */
  function line(number, decision, text) {
    rounds.get(number)?.item.remove();
    rounds.delete(number);
    lines.append(make("li", {}, make("p", {}, make("strong", {}, `Round ${number}`), " ", text,
      decision.edit !== "none" && [": ", make("code", {}, decision.edit), " ", make("q", { dir: "auto" }, decision.instruction)]), why(decision)));
  }

  return {
    strip, lines, nameOf,
    step({ step, round, done, total }) {
      if (step === "answer" || (step === "decide" && total < 2)) return; // there may be nothing to draw
      const entry = column(round);
      entry.bar.hidden = total < 2 || done >= total;
      entry.bar.max = total;
      entry.bar.value = done;
    },
    decision({ round, decision }) {
      if (decision.edit !== "none") describe(column(round), decision, `Thought ${round}`, null);
    },
    preview({ step, round, done, total, picture }) {
      const entry = column(round);
      if (!still.matches) { // noise that flickers is shown to nobody who asked for less motion
        if (!entry.picture.matches("img.preview")) put(entry, make("img", { className: "small preview", alt: "The thought being drawn" }));
        entry.picture.src = picture;
      }
      if (step === "decide") return; // several drawings are tried at once
      if (done === 1) entry.steps.replaceChildren();
      if (done % Math.ceil(total / MOST_STEPS) && done < total) return;
      entry.steps.append(make("li", {}, make("img", { src: picture, alt: `After step ${done} of ${total}` })));
      entry.steps.hidden = total < 2;
    },
    round({ round: { number, decision, verdict, thought, source, plan } }) {
      if (!thought) {
        line(number, decision, decision.edit !== "none" ? "nothing drawn" : number > 1 ? "nothing more to imagine" : "nothing to imagine");
        return;
      }
      const entry = column(number);
      entry.thought = thought.sha256;
      entry.bar.hidden = true;
      put(entry, pictureOf(thought, `Visual thought ${number}: ${decision.instruction}`));
      describe(entry, decision, `Thought ${number}`, verdict,
        verdict ? bars(verdict.probabilities) : make("p", { className: "quiet" }, "Not judged."),
        make("p", { className: "quiet" }, `Drawn from ${nameOf(source)}.`),
        plan && make("details", {}, make("summary", {}, "Plan before drawing"), make("p", { dir: "auto" }, plan)));
    },
    /** Nothing more is drawn. */
    end() {
      for (const entry of [...rounds.values()].filter(({ thought }) => !thought)) {
        entry.bar.hidden = true;
        if (entry.picture.matches(".preview")) entry.caption.append(make("p", { className: "quiet" }, "Not finished."));
        else if (!entry.steps.hidden) entry.picture.textContent = "not finished";
        else if (entry.decision) line(entry.number, entry.decision, "not finished");
        else entry.item.remove();
      }
    },
  };
}
