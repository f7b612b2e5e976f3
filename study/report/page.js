"use strict";
// Tables that sort, and the gallery. The gallery's data is one JSON element that g2u.study.gallery writes:
//   pictures: addresses; texts: strings; facets: {name, title, values}
//   items:    [id, question, options, answer, gold edits, groups, pictures]
//   cards:    [item, sides, values of each facet]
//   side:     [title, outcome, answer, answer before, rounds, note, place of the round that is shown or -1]
//   answer:   [text, is right, probability in thousandths or -1, reasoning], or null
//   round:    [edit, instruction, policy, reason, plan, source, thought, verdict, fidelity, number of the picture or 0]
//   verdict:  [action, thousandths of keep, retry and discard or none, reason, change in thousandths], or null
// Pictures, texts and items are told by their number in those lists.

const PAGE = 60;
const ACTIONS = ["keep", "retry", "discard"];

/** An element with attributes and children; texts become text, never HTML. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

function sortable(table) {
  const headers = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const asked = [...body.rows];
  headers.forEach((header, column) => {
    header.querySelector("button").addEventListener("click", () => {
      const texts = header.dataset.kind === "text";
      const first = texts ? "ascending" : "descending";
      const second = texts ? "descending" : "ascending";
      const before = header.getAttribute("aria-sort");
      const order = before === first ? second : before === second ? "" : first;
      for (const other of headers) other.removeAttribute("aria-sort");
      if (order) header.setAttribute("aria-sort", order);
      const key = (row) => row.cells[column].dataset.value;
      const sign = order === "descending" ? -1 : 1;
      const compare = (one, other) => {
        const [a, b] = [key(one), key(other)];
        if (a === "" || b === "") return (a === "") - (b === ""); // nothing to say comes last, whatever the order
        return sign * (texts ? a.localeCompare(b, "en", { numeric: true }) : Number(a) - Number(b));
      };
      body.append(...(order ? [...asked].sort(compare) : asked));
    });
  });
}

class Gallery {
  constructor(section, data) {
    this.data = data;
    this.cards = section.querySelector(".cards");
    this.count = section.querySelector(".count");
    this.search = section.querySelector("input[type=search]");
    this.reset = section.querySelector(".reset");
    this.more = section.querySelector(".show-more");
    this.chosen = data.facets.map(() => new Set());
    this.words = [];
    this.texts = []; // what the search reads of each card, made when it is first asked for
    this.found = [];
    this.shown = 0;
    this.buttons = this.makeFilters(section.querySelector(".filters"));
    this.readAddress();
    this.apply();
    this.listen();
  }

  makeFilters(place) {
    return this.data.facets.map((facet, index) => {
      const buttons = facet.values.map((value, number) => {
        const button = make("button", { type: "button", "aria-pressed": "false" }, value, " ", make("span", { class: "number" }));
        button.addEventListener("click", () => {
          const chosen = this.chosen[index];
          if (!chosen.delete(number)) chosen.add(number);
          this.changed();
        });
        return button;
      });
      if (buttons.length > 1) {
        const group = make("div", { class: "buttons", role: "group", "aria-label": facet.title }, buttons);
        const told = make("summary", {}, facet.title, make("span", { class: "picked quiet" }));
        place.append(make("details", { "data-facet": facet.name, open: buttons.length <= 30 && innerWidth > 700 || index === 0 }, told, group));
      }
      return buttons;
    });
  }

  listen() {
    let timer = 0;
    this.search.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.changed(), 150);
    });
    this.reset.addEventListener("click", () => {
      for (const chosen of this.chosen) chosen.clear();
      this.search.value = "";
      this.changed();
      this.search.focus();
    });
    this.more.addEventListener("click", () => {
      const first = this.shown;
      this.showMore();
      this.cards.children[first]?.focus();
    });
    addEventListener("hashchange", () => {
      if (!this.readAddress()) return;
      this.apply();
      document.getElementById("gallery").scrollIntoView();
    });
    const watch = new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && this.showMore(), {
      rootMargin: "600px",
    });
    watch.observe(this.more);
  }

  changed() {
    this.words = words(this.search.value);
    const address = new URLSearchParams();
    this.data.facets.forEach((facet, index) => {
      for (const number of this.chosen[index]) address.append(facet.name, facet.values[number]);
    });
    if (this.search.value.trim()) address.set("text", this.search.value.trim());
    history.replaceState(null, "", `#${address.toString() || "gallery"}`);
    this.apply();
  }

  /** Take the filters from the part of the address after "#"; whether there are any. */
  readAddress() {
    const hash = location.hash.slice(1);
    if (!hash.includes("=") && hash !== "gallery") return false;
    const address = new URLSearchParams(hash.includes("=") ? hash : "");
    this.data.facets.forEach((facet, index) => {
      this.chosen[index] = new Set(address.getAll(facet.name).map((value) => facet.values.indexOf(value)).filter((number) => number >= 0));
    });
    this.search.value = address.get("text") ?? "";
    this.words = words(this.search.value);
    return true;
  }

  /** Find the cards that pass every filter, and count for each button those that pass all filters but its own. */
  apply() {
    const counts = this.data.facets.map((facet) => new Array(facet.values.length).fill(0));
    this.found = [];
    this.data.cards.forEach((card, place) => {
      if (!this.words.every((word) => this.text(place).includes(word))) return;
      let failed = -1;
      for (let index = 0; index < this.chosen.length; index++) {
        const chosen = this.chosen[index];
        if (!chosen.size || card[2][index].some((number) => chosen.has(number))) continue;
        if (failed >= 0) return;
        failed = index;
      }
      if (failed < 0) this.found.push(place);
      card[2].forEach((numbers, index) => {
        if (failed < 0 || failed === index) for (const number of numbers) counts[index][number]++;
      });
    });
    this.buttons.forEach((buttons, index) => {
      const chosen = this.chosen[index];
      buttons.forEach((button, number) => {
        button.setAttribute("aria-pressed", String(chosen.has(number)));
        button.lastChild.textContent = counts[index][number].toLocaleString("en");
        button.classList.toggle("empty", !counts[index][number]);
      });
      const picked = buttons[0]?.closest("details")?.querySelector(".picked");
      if (picked) picked.textContent = [...chosen].map((number) => this.data.facets[index].values[number]).join(", ");
    });
    const [found, all] = [this.found.length, this.data.cards.length].map((number) => number.toLocaleString("en"));
    this.count.textContent = `${found} of ${all} ${this.count.dataset.of}`;
    this.reset.hidden = found === all && !this.words.length && this.chosen.every((chosen) => !chosen.size);
    this.cards.replaceChildren();
    this.shown = 0;
    this.showMore();
  }

  showMore() {
    const next = this.found.slice(this.shown, this.shown + PAGE);
    this.shown += next.length;
    this.cards.append(...next.map((place) => this.card(this.data.cards[place])));
    const left = this.found.length - this.shown;
    this.more.hidden = left <= 0;
    this.more.textContent = `Show ${Math.min(PAGE, left)} more`;
  }

  text(place) {
    return (this.texts[place] ??= this.readCard(this.data.cards[place]).join("\n").toLowerCase());
  }

  readCard([number, sides]) {
    const [id, question, options, right, gold, groups] = this.data.items[number];
    const said = sides.flatMap(([title, , answer, before, rounds, note]) => [title, answer?.[0], before?.[0], note,
      ...rounds.flatMap((round) => round.slice(0, 5))]);
    const texts = said.map((text) => (typeof text === "number" ? this.data.texts[text] : text ?? ""));
    return [id, question, ...options, right, gold, groups, ...texts];
  }

  card([number, sides]) {
    const [id, question, options, right, gold, groups, pictures] = this.data.items[number];
    const same = make("button", { type: "button", class: "link" }, id);
    same.title = "Show every answer to this question";
    same.addEventListener("click", () => {
      for (const chosen of this.chosen) chosen.clear();
      this.search.value = id;
      this.changed();
      this.search.focus();
    });
    return make("li", { class: sides.length > 1 ? "card pair" : "card", tabindex: "-1" },
      make("h3", { dir: "auto" }, question),
      options.length ? make("p", { class: "options" }, options.map((option) => [make("span", { class: "option", dir: "auto" }, option), " "])) : null,
      make("div", { class: "sides" }, sides.map((side) => this.side(side, pictures))),
      make("p", { class: "quiet" }, "Right answer: ", make("strong", { dir: "auto" }, right), gold ? `. Edits known to help: ${gold}` : "", "."),
      make("p", { class: "quiet small" }, groups, groups ? ". " : "", same));
  }

  side([title, outcome, answer, before, rounds, note, place], pictures) {
    const texts = this.data.texts;
    const shown = rounds[place];
    const others = shown ? rounds.filter((round) => round !== shown) : [];
    return make("section", {},
      make("p", { class: "title" }, make("span", { class: "quiet" }, texts[title]), " ", make("span", { class: `tag ${texts[outcome].replaceAll(" ", "-")}` }, texts[outcome])),
      texts[note] ? make("p", { class: "note", dir: "auto" }, texts[note]) : null,
      this.strip(pictures, shown),
      shown ? this.round(shown) : make("p", { class: "quiet" }, "Nothing was drawn", rounds.length ? [": the edit was ", make("code", {}, texts[rounds.at(-1)[0]])] : "", "."),
      make("table", { class: "said" }, make("tbody", {}, this.answer("Before", before), this.answer("After", answer))),
      others.length ? make("details", {}, make("summary", {}, others.length > 1 ? `${others.length} other rounds` : "1 other round"),
        others.map((round) => [this.strip([round[5]], round, "Source"), this.round(round)])) : null);
  }

  /** Pictures, what was drawn from one of them and where the two differ. */
  strip(pictures, round, name = "Original") {
    const several = pictures.length > 1;
    const picture = pictures[several && round ? Math.max(round[9] - 1, 0) : 0];
    const thought = round ? round[6] : null;
    const told = round ? this.data.texts[round[1]] || this.data.texts[round[0]] : "";
    const figure = (content, caption) => make("figure", {}, content, make("figcaption", {}, caption));
    const difference = thought === null || picture < 0 || thought < 0
      ? make("div", { class: "blank" }, "")
      : make("div", { class: "difference", role: "img", "aria-label": "Where the two differ" }, this.picture(picture, ""), this.picture(thought, ""));
    return make("div", { class: "strip" },
      pictures.map((number, place) => {
        const caption = several ? `${name} ${place + 1}` : name;
        return figure(this.picture(number, caption), caption);
      }),
      figure(thought === null ? make("div", { class: "blank" }, "none") : this.picture(thought, `Visual thought: ${told}`), "Thought"),
      figure(difference, "Difference"));
  }

  picture(number, alt) {
    if (number < 0) return make("div", { class: "blank" }, "missing");
    return make("img", { src: this.data.pictures[number], alt, loading: "lazy", decoding: "async" });
  }

  round([edit, instruction, policy, reason, plan, , thought, verdict, fidelity, on]) {
    const texts = this.data.texts;
    const why = [texts[reason], texts[plan] ? `Plan: ${texts[plan]}` : "", verdict ? texts[verdict[2]] : "",
      verdict ? `Mean change of a pixel ${(verdict[3] / 10).toFixed(1)} %.` : "", texts[fidelity] ? `Fidelity: ${texts[fidelity]}.` : ""].filter(Boolean);
    return make("div", { class: "round" },
      make("p", {}, make("code", {}, texts[edit]), on ? ` on picture ${on} ` : " ", texts[instruction] ? make("q", { dir: "auto" }, texts[instruction]) : "", " ", make("span", { class: "quiet" }, `by ${texts[policy]}`)),
      verdict ? make("div", { class: "verdict" },
        make("span", { class: `tag ${texts[verdict[0]]}` }, texts[verdict[0]]),
        verdict[1].length ? this.shares(verdict[1]) : null)
        : thought === null ? null : make("p", { class: "quiet" }, "not judged"),
      why.length ? make("details", {}, make("summary", {}, "Why"), why.map((text) => make("p", { dir: "auto" }, text))) : null);
  }

  /** How sure a verdict was, as a bar and in figures. */
  shares(thousandths) {
    const told = (digits) => ACTIONS.map((action, place) => `${action} ${(thousandths[place] / 10).toFixed(digits)}`);
    const parts = ACTIONS.map((action, place) => { const part = make("span", { class: action }); part.style.flexGrow = thousandths[place]; return part; });
    return [make("span", { class: "stack", role: "img", "aria-label": told(1).map((text) => `${text} %`).join(", ") }, parts),
      make("span", { class: "quiet number" }, told(0).join(" · "))];
  }

  answer(title, said) {
    if (!said) return make("tr", {}, make("th", { scope: "row" }, title), make("td", { class: "quiet", colspan: "3" }, "no answer"));
    const [text, right, sure, reasoning] = said;
    const written = this.data.texts[reasoning];
    return make("tr", {},
      make("th", { scope: "row" }, title),
      make("td", { dir: "auto" }, this.data.texts[text] || "(empty)", written ? make("details", {}, make("summary", {}, "Reasoning"), written) : ""),
      make("td", { class: `mark ${right ? "right" : "wrong"}` }, right ? "✓ right" : "✗ wrong"),
      make("td", { class: "quiet number" }, sure < 0 ? "" : `${(sure / 10).toFixed(1)} %`));
  }
}

function words(text) {
  return text.toLowerCase().split(/\s+/).filter(Boolean);
}

for (const table of document.querySelectorAll("table.data")) sortable(table);
const section = document.getElementById("gallery");
if (section) {
  const data = document.getElementById("gallery-data");
  new Gallery(section, JSON.parse(data.textContent));
  data.remove(); // the page need not keep all pictures twice
  if (location.hash.includes("=")) section.scrollIntoView();
}
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("main > section > details, figure details")) details.open = true;
});
