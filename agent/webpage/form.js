// What is asked: the picture, the question, its options and the settings.

import { make, pictureAddress, say, words } from "./elements.js";
import { Problem, read } from "./stream.js";

const part = (name) => document.getElementById(name);
const [drop, chosen, file, gallery] = ["drop", "chosen", "file", "gallery"].map(part);
const NUMBERS = { rounds: "Rounds", steps: "Steps a drawing", seed: "Seed" };

let picture = null;
let examples = Promise.resolve([]);

/** Take a picture of the store as the one to ask about. */
export function take(reference) {
  picture = reference && { sha256: reference.sha256, width: reference.width, height: reference.height };
  chosen.hidden = !picture;
  if (picture) chosen.src = pictureAddress(picture);
  for (const entry of gallery.querySelectorAll("input")) entry.checked = entry.value === picture?.sha256;
  say(part("picture-problem"), "");
}

async function upload(blob) {
  say(part("drop-words"), "Sending it …");
  try {
    const headers = { "Content-Type": "application/octet-stream" }; // the server looks what it is, names of kinds lie
    take(await read("pictures", { method: "POST", headers, body: blob }));
    say(part("drop-words"), "or drop or paste another one here.");
  } catch (error) {
    take(null);
    say(part("drop-words"), "or drop or paste one here.");
    if (!(error instanceof Problem)) throw error;
    say(part("picture-problem"), words(error.problem));
  }
  file.value = "";
}

/** The right answer, where picture and question are those of the world; it comes with the gallery. */
export async function truthOf(sha256, question) {
  return (await examples).find((entry) => entry.picture.sha256 === sha256 && entry.question === question)?.answer;
}

/** Fill in what a run asked, to be changed and asked again. */
export function fill({ picture: reference, question, options, settings = {} }) {
  take(reference);
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
  if (!picture) refuse("file", "There is no picture to ask about.", "Choose one first, or take one of the picture world.");
  if (!question.trim()) refuse("question", "The question is empty.", "Ask in words.");
  if (options.length === 1) refuse("options", "One option leaves no choice.", "Write at least two, or none for a free answer.");
  if (options.length > most) refuse("options", `At most ${most} options can be asked here, not ${options.length}.`, "Leave the unlikely ones out.");
  const settings = { policy: part("policy").value, reflect: part("reflect").checked };
  for (const [name, label] of Object.entries(NUMBERS)) {
    const field = part(name);
    if (!field.checkValidity()) refuse(name, `${label}: ${field.validationMessage}`);
    if (field.value !== "") settings[name] = Number(field.value);
  }
  return { picture, question, options, settings };
}

/** Listen to the form; `changed` is called when something else is to be asked. */
export async function start(changed) {
  file.addEventListener("change", () => file.files[0] && upload(file.files[0]));
  for (const name of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragover");
    });
  }
  drop.addEventListener("drop", (event) => event.dataTransfer.files[0] && upload(event.dataTransfer.files[0]));
  document.addEventListener("paste", (event) => {
    const pasted = [...event.clipboardData.files][0];
    if (!pasted) return;
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
    fill(entry);
    changed();
  });
  return make("label", { title: about }, choice, make("img", { src: pictureAddress(entry.picture), alt: about, width: 128, height: 128 }));
}
