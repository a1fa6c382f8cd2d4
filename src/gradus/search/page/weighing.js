// What counts in documents: a factor on each of their fields, where the index keeps these apart.

import { label } from "./card.js";
import { at, h } from "./dom.js";
import { language, t } from "./words.js";

/** What the slider's places stand for. */
const FACTORS = [1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8];
const SHOWN = ["×⅛", "×¼", "×½", "×1", "×2", "×4", "×8"];

/** The place of the factor that is nearest to one. @param {number} factor */
const place = (factor) => FACTORS.findIndex((one, next) => factor < one * Math.SQRT2 || next === FACTORS.length - 1);

/**
 * Show the sliders of the fields that can be weighed; those that are there stay, since one of them may be in a hand.
 * @param {string[]} fields
 * @param {Record<string, number>} factors Those that are not 1.
 * @param {(factors: Record<string, number>) => void} changed
 */
export function showWeighing(fields, factors, changed) {
  const box = at("weights");
  if (box.dataset.lang !== language) {
    box.dataset.lang = language;
    box.replaceChildren(...fields.map(slider));
  }
  for (const row of box.children) {
    const [input, said] = [row.querySelector("input"), row.querySelector("output")];
    const name = /** @type {HTMLElement} */ (row).dataset.field ?? "";
    const now = place(factors[name] ?? 1);
    if (Number(input.value) !== now) input.value = String(now);
    input.setAttribute("aria-valuetext", SHOWN[now]);
    said.textContent = SHOWN[now];
    input.oninput = () => {
      const { [name]: _, ...rest } = factors;
      const factor = FACTORS[Number(input.value)];
      changed(factor === 1 ? rest : { ...rest, [name]: factor });
    };
  }
  const count = Object.keys(factors).length;
  at("weigh-count").textContent = count ? String(count) : "";
  at("as-trained").hidden = !count;
  at("as-trained").onclick = () => changed({});
}

/** @param {string} name */
const slider = (name) =>
  h("label.weight", { "data-field": name },
    h("span", {}, label(name)), h("output"),
    h("input", { type: "range", min: "0", max: String(FACTORS.length - 1), step: "1", "aria-label": t("weigh.field", { field: label(name) }) }));
