// Making elements. Texts only ever become text nodes and attributes, never markup.

/** @typedef {Node | string | number | false | null | undefined} Child */

/**
 * An element.
 * @param {string} tag Its name and classes: `a.card.chosen`.
 * @param {Record<string, unknown>} [properties] `on…` are listeners, `data-…`, `aria-…` and `role` attributes.
 * @param {...Child} children
 * @returns {HTMLElement}
 */
export function h(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), /** @type {EventListener} */ (value));
    else if (/^(data|aria)-|^role$|^for$|^lang$/.test(key)) element.setAttribute(key, String(value));
    else /** @type {any} */ (element)[key] = value;
  }
  element.append(...children.filter((child) => child !== false && child !== null && child !== undefined).map(
    (child) => (typeof child === "number" ? String(child) : /** @type {Node | string} */ (child)),
  ));
  return element;
}

/**
 * The element of an id.
 * @param {string} id
 * @returns {any}
 */
export function at(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`no element ${id}`);
  return element;
}

/**
 * A bar that fills a share of its length.
 * @param {number} share 0 to 1.
 * @param {string} label What it says to those who do not see it.
 */
export function bar(share, label) {
  const filled = h("i");
  filled.style.width = `${Math.round(100 * Math.min(1, Math.max(0, share)))}%`;
  return h("span.bar", { role: "img", "aria-label": label, title: label }, filled);
}

/**
 * A dialog in front of the page, removed when it closes.
 * @param {string} classes
 * @param {...Child} children
 * @returns {HTMLDialogElement}
 */
export function dialog(classes, ...children) {
  const made = /** @type {HTMLDialogElement} */ (h(`dialog${classes}`, {}, ...children));
  made.addEventListener("click", (event) => {
    if (event.target === made) made.close(); // outside of what it holds
  });
  made.addEventListener("close", () => made.remove());
  document.body.append(made);
  made.showModal();
  return made;
}

/** Whether keys go into a field where they are typed. @param {EventTarget | null} target */
export const isTyping = (target) =>
  target instanceof HTMLSelectElement ||
  target instanceof HTMLTextAreaElement ||
  (target instanceof HTMLInputElement && !["checkbox", "radio", "range", "button"].includes(target.type));
