// What all pages begin with: the catalogue, the language, the head and the foot; and how errors are shown.

import { at, h } from "./dom.js";
import { Problem, readCatalog } from "./service.js";
import { number, speak, t } from "./words.js";

/** @typedef {import("./service.js").Catalog} Catalog */

/**
 * Read the catalogue, then build the page; and build it anew in the other language.
 * @param {"search" | "compare" | "judge"} page
 * @param {(catalog: Catalog) => void} build
 */
export async function begin(page, build) {
  for (const link of document.querySelectorAll("[data-page]")) {
    if (/** @type {HTMLElement} */ (link).dataset.page === page) link.setAttribute("aria-current", "page");
  }
  /** @type {Catalog | null} */
  let catalog = null;
  /** @type {HTMLFormElement | null} */
  let early = null; // what was asked before there was anybody to answer
  document.addEventListener("submit", (event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (form.method === "dialog") return;
    event.preventDefault();
    if (catalog === null) early = form;
  });
  const show = () => {
    document.title = `${t(`${page}.title`)} · Gradus`;
    if (catalog === null) return;
    const [{ name, version }] = catalog.versions;
    const about = t("about", { count: number(catalog.documents), name, version });
    at("about").textContent = catalog.recording ? about : `${about} · ${t("about.unrecorded")}`;
    build(catalog);
  };
  speak(show);
  for (;;) {
    try {
      catalog = await readCatalog();
      break;
    } catch (error) {
      await new Promise((retry) => showProblem(error, () => retry(undefined)));
    }
  }
  clearNotice();
  show();
  /** @type {HTMLFormElement | null} */ (early)?.requestSubmit();
}

/**
 * Say what went wrong, where the results would be.
 * @param {unknown} error
 * @param {() => void} retry
 */
export function showProblem(error, retry) {
  if (!(error instanceof Problem)) throw error;
  at("notice").replaceChildren(
    h("div.notice.wrong", { role: "alert" },
      h("h2", {}, t("error")), h("p", {}, error.message),
      h("button.primary", { type: "button", onclick: retry }, t("error.retry")),
    ),
  );
}

/** Take back what was said in place of results. */
export const clearNotice = () => at("notice").replaceChildren();

/**
 * The field for the name of who judges, kept for the next time.
 * @param {() => void} changed
 * @returns {() => string} The name, empty where none was given; then the field is pointed out.
 */
export function raterField(changed) {
  const input = /** @type {HTMLInputElement} */ (at("rater"));
  const keep = () => localStorage.setItem("gradus.rater", input.value.trim());
  // It may have been typed before the script was there.
  if (input.value) keep();
  else input.value = localStorage.getItem("gradus.rater") ?? "";
  input.onchange = () => {
    keep();
    changed();
  };
  return () => input.value.trim();
}
