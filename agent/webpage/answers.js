// The two answers, first and large. They have their places from the start, so that nothing moves when they come.

import { make, percent } from "./elements.js";

const BRIEF = 16; // characters of an answer that is shown as large as can be
const LONG = 120; // and of one that is read as a text
const LABEL = 24; // and of an option that has a row of the table to itself

const sizeOf = (text) => (text.length <= BRIEF ? "brief" : text.length > LONG ? "long" : "");

/** The place of one answer. */
function place(title) {
  const heading = make("h3", {}, title), mark = make("p", { className: "mark" });
  const said = make("p", { className: "said brief", dir: "auto" }, "…");
  const about = make("p", { className: "quiet" }, "Not there yet.");
  // A screen reader says an answer with whose it is, once it is there.
  const spoken = make("div", { "aria-live": "polite", "aria-atomic": "true" }, make("div", { className: "whose" }, heading, mark), said);
  const card = make("section", { className: "answer pending" }, spoken, about);
  return {
    card,
    fill({ text, probabilities, reasoning }, name, words) {
      heading.textContent = name;
      said.textContent = text || "(nothing)";
      said.className = `said ${sizeOf(text)}`;
      about.textContent = text in probabilities ? `${percent(probabilities[text])} sure, ${words}.` : `${words[0].toUpperCase()}${words.slice(1)}.`;
      if (reasoning) about.after(make("details", {}, make("summary", {}, "What it thought before"), make("p", { dir: "auto" }, reasoning)));
      card.classList.remove("pending");
    },
    mark(right) {
      mark.classList.add(right ? "right" : "wrong");
      mark.textContent = right ? "✓ right" : "✗ wrong";
    },
  };
}

/** How sure both answers are of each option, side by side; the options alone before there are answers. */
function sureness(options, first, second) {
  const cell = (answer, option) => make("td", {}, make("div", { className: "share" },
    make("meter", { min: 0, max: 1, value: answer?.probabilities[option] ?? 0, "aria-hidden": "true" }),
    make("span", { className: "number" }, answer && percent(answer.probabilities[option] ?? 0))));
  const chosen = (option) => option === second?.text && "chosen";
  return make("table", { className: options.some((option) => option.length > LABEL) ? "sure texts" : "sure" },
    make("caption", { className: "unseen" }, "How sure it is of each option"),
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Option"), make("th", { scope: "col" }, "Direct"), make("th", { scope: "col" }, "With the thought"))),
    make("tbody", {}, options.map((option) => make("tr", { className: chosen(option) },
      make("th", { scope: "row", dir: "auto" }, option), cell(first, option), cell(second, option)))));
}

/** Places for both answers to a question. `truth` is a promise of the right one, or of nothing where it is not known. */
export function answersOf(options, truth) {
  const direct = place("Direct answer"), imagined = place("With the thought");
  const table = make("div", {}, options.length > 0 && sureness(options));
  const right = make("p", { className: "truth", hidden: true }, "\u00a0");
  const all = make("div", {}, make("div", { className: "answers" }, direct.card, imagined.card), table, right);
  truth.then((known) => { right.hidden = known === undefined; });
  return {
    all,
    /** Show them; `read` are the pictures that the second rests on, in words, or nothing where the first stands. */
    async show(first, second, read) {
      direct.fill(first, "Direct answer", first.pictures.length > 1 ? "from the originals alone" : "from the original alone");
      imagined.fill(second, read ? "With the thought" : "The direct answer stands", read ? `from ${read}` : "no thought was kept");
      if (options.length) table.replaceChildren(sureness(options, first, second));
      const known = await truth;
      if (known === undefined) return;
      const same = (value) => value.text.trim().toLowerCase() === known.toLowerCase();
      direct.mark(same(first));
      imagined.mark(same(second));
      right.replaceChildren(make("span", { className: "quiet" }, "The right answer: "), make("bdi", {}, known));
    },
    /** No more answers come; without any, what could have been answered stays. */
    end() {
      if (!direct.card.matches(".pending")) return;
      all.replaceChildren(make("p", { className: "options" }, options.map((option) => make("span", { className: "option", dir: "auto" }, option))));
    },
  };
}
