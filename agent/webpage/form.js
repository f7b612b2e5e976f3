// What is asked: the pictures, the question, its options and the settings.

import { make, pictureAddress, say, words } from "./elements.js";
import { Problem, read } from "./stream.js";

const part = (name) => document.getElementById(name);
const [drop, chosen, file, add, gallery] = ["drop", "chosen", "file", "add", "gallery"].map(part);
const MOST = Number(chosen.dataset.most); // pictures of one question
const NUMBERS = { rounds: "Rounds", steps: "Steps a drawing", seed: "Seed" };

let pictures = [];
let examples = Promise.resolve([]);

/** Take pictures of the store as those to ask about, in this order. */
export function take(references) {
  pictures = references.map(({ sha256, width, height }) => ({ sha256, width, height }));
  chosen.hidden = !pictures.length;
  chosen.replaceChildren(...pictures.map(chosenOf));
  add.disabled = !pictures.length || pictures.length >= MOST;
  add.nextElementSibling.hidden = add.disabled;
  const only = pictures.length === 1 && pictures[0].sha256;
  for (const entry of gallery.querySelectorAll("input")) entry.checked = entry.value === only;
  say(part("picture-problem"), "");
}

/** A picture to ask about; of several with its number and a button that takes it out. */
function chosenOf(picture, place) {
  if (pictures.length === 1) return make("li", {}, make("img", { alt: "The picture to ask about", src: pictureAddress(picture) }));
  const number = place + 1;
  const remove = make("button", { type: "button", "aria-label": `Leave picture ${number} out`,
    onclick: () => take(pictures.filter((_, other) => other !== place)) }, "×");
  return make("li", {}, make("img", { alt: `Picture ${number} to ask about`, src: pictureAddress(picture) }), make("p", {}, String(number), remove));
}

/** Send pictures, and ask about them after those that stay. */
async function upload(blobs, stay = []) {
  if (!blobs.length) return;
  say(part("drop-words"), blobs.length > 1 ? "Sending them …" : "Sending it …");
  try {
    if (stay.length + blobs.length > MOST) {
      throw new Problem({ detail: `At most ${MOST === 1 ? "one picture" : `${MOST} pictures`} can be asked about here.`, hint: "Choose fewer." });
    }
    const headers = { "Content-Type": "application/octet-stream" }; // the server looks what it is, names of kinds lie
    const sent = [];
    for (const body of blobs) sent.push(await read("pictures", { method: "POST", headers, body }));
    take([...stay, ...sent]);
    say(part("drop-words"), "or drop or paste another one here.");
  } catch (error) {
    take(stay);
    say(part("drop-words"), "or drop or paste one here.");
    if (!(error instanceof Problem)) throw error;
    say(part("picture-problem"), words(error.problem));
  }
  file.value = add.value = "";
}

/** The right answer, where picture and question are those of the world; it comes with the gallery. */
export async function truthOf([picture, ...others], question) {
  if (others.length) return undefined;
  return (await examples).find((entry) => entry.picture.sha256 === picture.sha256 && entry.question === question)?.answer;
}

/** Fill in what a run asked, to be changed and asked again. */
export function fill({ pictures: references, question, options, settings = {} }) {
  take(references);
  part("question").value = question;
  part("options").value = options.join("\n");
  const policy = part("policy");
  if (settings.policy && [...policy.options].some((option) => option.value === settings.policy)) policy.value = settings.policy;
  if ("reflect" in settings) part("reflect").checked = settings.reflect;
  for (const name of Object.keys(NUMBERS)) if (name in settings) part(name).value = settings[name] ?? "";
}

/** What is asked now. Throws a `Problem` that says what is missing, and goes there. */
export function asked() {
  const refuse = (name, detail, hint = "") => {
    part(name).closest("details")?.setAttribute("open", "");
    part(name).focus();
    throw new Problem({ detail, hint });
  };
  const question = part("question").value;
  const options = part("options").value.split("\n").map((option) => option.trim()).filter(Boolean);
  const most = Number(part("options").dataset.most);
  if (!pictures.length) refuse("file", "There is no picture to ask about.", "Choose one first, or take one of the picture world.");
  if (!question.trim()) refuse("question", "The question is empty.", "Ask in words.");
  if (options.length === 1) refuse("options", "One option leaves no choice.", "Write at least two, or none for a free answer.");
  if (options.length > most) refuse("options", `At most ${most} options can be asked here, not ${options.length}.`, "Leave the unlikely ones out.");
  const settings = { policy: part("policy").value, reflect: part("reflect").checked };
  for (const [name, label] of Object.entries(NUMBERS)) {
    const field = part(name);
    if (!field.checkValidity()) refuse(name, `${label}: ${field.validationMessage}`);
    if (field.value !== "") settings[name] = Number(field.value);
  }
  return { pictures, question, options, settings };
}

/** Listen to the form; `changed` is called when something else is to be asked. */
export async function start(changed) {
  file.addEventListener("change", () => upload([...file.files]));
  add.addEventListener("change", () => upload([...add.files], pictures));
  for (const name of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragover");
    });
  }
  drop.addEventListener("drop", (event) => upload([...event.dataTransfer.files]));
  document.addEventListener("paste", (event) => {
    const pasted = [...event.clipboardData.files];
    if (!pasted.length) return;
    event.preventDefault();
    upload(pasted);
  });
  part("question").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    part("ask").requestSubmit();
  });
  part("ask").addEventListener("input", changed);
  const entries = read("world");
  examples = entries.catch(() => []);
  try {
    gallery.replaceChildren(...(await entries).map((entry) => exampleOf(entry, changed)));
  } catch (error) {
    gallery.replaceChildren();
    if (!(error instanceof Problem)) throw error;
    say(part("gallery-title"), `The picture world cannot be shown. ${words(error.problem)}`);
  }
}

/** A picture of the world: one radio button of a group, which is one stop of the Tab key with arrow keys inside. */
function exampleOf(entry, changed) {
  const about = `${entry.fault === "none" ? entry.task : `${entry.task}, ${entry.fault}`}: ${entry.question}`;
  const choice = make("input", { type: "radio", name: "example", value: entry.picture.sha256, className: "unseen" });
  choice.addEventListener("click", () => { // an arrow key clicks as well; a change is none where it was chosen before
    fill({ ...entry, pictures: [entry.picture] });
    changed();
  });
  return make("label", { title: about }, choice, make("img", { src: pictureAddress(entry.picture), alt: about, width: 128, height: 128 }));
}
