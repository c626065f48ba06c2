// Small helpers for building the page.

/** An element: `h("button", { class: "quiet", onclick }, "Play")`. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, set] of Object.entries(value)) element.style.setProperty(key, set);
    else if (name === "value" || (name in element && typeof value !== "string")) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** `text_to_audio` as people write it. */
export const plain = (name) => name.replaceAll("_", " ").replace(/^./, (letter) => letter.toUpperCase());

/** Seconds with two decimals and a unit. */
export const seconds = (value) => `${value.toFixed(2)} s`;

/** A level with a true minus. */
export const level = (value, unit) => `${value <= -0.05 ? "−" : ""}${Math.abs(value).toFixed(1)} ${unit}`;

/** Gives a canvas as many pixels as it covers, and returns its context, scaled to CSS pixels, with its size. */
export function fit(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  return { context, width, height };
}

/** The value of a custom property of the style sheet. */
export const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
