// Elements made of plain values. Texts become text nodes, so that nothing anybody wrote is ever read as HTML.

/** An element with properties and children; what is null or false is left out. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name in element && !name.startsWith("aria")) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Where a stored picture is shown; small for lists. */
export const pictureAddress = (picture, size) => `pictures/${picture.sha256}${size ? `?size=${size}` : ""}`;

/** A stored picture; one that is gone leaves its words. */
export function pictureOf(picture, alt, size) {
  const image = make("img", { alt, src: pictureAddress(picture, size), width: picture.width, height: picture.height });
  if (picture.width <= 256) image.className = "small";
  image.addEventListener("error", () => image.replaceWith(make("div", { className: "blank" }, "not in this server's store")));
  return image;
}

/** Short texts in a row, none of which is broken where it has room. */
export const pieces = (texts) => texts.filter(Boolean).flatMap((text) => [" ", make("span", { className: "piece" }, text)]);

/** A share of a whole in words. */
export const percent = (share) => `${(100 * share).toFixed(1)} %`;

/** Shares of a whole as bars, the largest first. */
export function bars(values) {
  const rows = Object.entries(values).sort((one, other) => other[1] - one[1]);
  if (!rows.length) return null;
  return make("dl", { className: "bars" }, rows.map(([name, share]) => make("div", {},
    make("dt", { dir: "auto" }, name),
    make("dd", { className: "share" }, make("meter", { min: 0, max: 1, value: share, "aria-hidden": "true" }),
      make("span", { className: "number" }, percent(share))))));
}

/** A problem as the server tells it, in one text. */
export const words = (problem) => [problem.detail ?? problem.title, problem.hint].filter(Boolean).join(" ");

/** Show words in a place that is hidden without any. */
export function say(place, text) {
  place.textContent = text;
  place.hidden = !text;
}
