// Filters: categories with counts, numbers with bounds.

import { isFacet, label } from "./card.js";
import { at, h } from "./dom.js";
import { number, t } from "./words.js";

/** @typedef {import("./service.js").Catalog} Catalog */
/** @typedef {import("./state.js").Condition} Condition */

const SHORT = 7;

/** Fields whose values are all shown. @type {Set<string>} */
const unfolded = new Set();

/** The categories to count. @param {Catalog} catalog */
export const counted = (catalog) =>
  catalog.fields.filter((field) => isFacet(catalog, field)).map((field) => field.name).slice(0, 16);

/**
 * Show the filters anew; the one in use keeps its focus.
 * @param {Catalog} catalog
 * @param {Record<string, Record<string, number>>} counts
 * @param {Record<string, Condition>} filters
 * @param {(filters: Record<string, Condition>) => void} changed
 */
export function showFilters(catalog, counts, filters, changed) {
  const box = at("facets");
  const focused = box.contains(document.activeElement) ? document.activeElement?.id : null;
  const set = (/** @type {string} */ name, /** @type {Condition | null} */ condition) => {
    const { [name]: _, ...rest } = filters;
    changed(condition ? { ...rest, [name]: condition } : rest);
  };
  const again = () => showFilters(catalog, counts, filters, changed);
  const groups = [];
  for (const field of catalog.fields) {
    const condition = filters[field.name];
    if (counts[field.name]) {
      const chosen = Array.isArray(condition) ? condition : [];
      groups.push(categories(field.name, counts[field.name], chosen, (c) => set(field.name, c), again));
    } else if (field.type === "number" && field.low !== undefined && field.low !== field.high) {
      const bounds = condition && !Array.isArray(condition) ? condition : {};
      groups.push(range(field, bounds, (c) => set(field.name, c)));
    }
  }
  box.replaceChildren(...groups);
  if (focused) document.getElementById(focused)?.focus();
  const used = Object.keys(filters).length;
  at("filters-count").textContent = used ? String(used) : "";
  at("clear").hidden = !used;
  at("clear").onclick = () => changed({});
}

/**
 * @param {string} name
 * @param {Record<string, number>} counts
 * @param {string[]} chosen
 * @param {(condition: Condition | null) => void} set
 * @param {() => void} again
 */
function categories(name, counts, chosen, set, again) {
  const missing = chosen.filter((value) => !(value in counts)).map((value) => /** @type {[string, number]} */ ([value, 0]));
  const all = [...Object.entries(counts), ...missing];
  const folds = all.length > SHORT + 1;
  const listed = folds && !unfolded.has(name) ? all.filter(([value], place) => place < SHORT || chosen.includes(value)) : all;
  const fold = h("button.quiet", {
    type: "button",
    id: `fold-${name}`,
    onclick: () => {
      if (!unfolded.delete(name)) unfolded.add(name);
      again();
    },
  }, unfolded.has(name) ? t("filters.fewer") : t("filters.more", { count: all.length - listed.length }));
  return h("fieldset", {}, h("legend", {}, label(name)),
    ...listed.map(([value, count]) =>
      h("label.value", {},
        h("input", {
          type: "checkbox",
          id: `filter-${name}-${value}`,
          checked: chosen.includes(value),
          onchange: (/** @type {Event} */ event) => {
            const on = /** @type {HTMLInputElement} */ (event.target).checked;
            const values = on ? [...chosen, value] : chosen.filter((other) => other !== value);
            set(values.length ? values : null);
          },
        }),
        h("span", {}, value), h("span.count", {}, number(count)),
      ),
    ),
    folds && (unfolded.has(name) || all.length > listed.length) && fold,
  );
}

/**
 * @param {import("./service.js").Field} field
 * @param {{low?: number, high?: number}} bounds
 * @param {(condition: Condition | null) => void} set
 */
function range(field, bounds, set) {
  const end = (/** @type {"low" | "high"} */ side, /** @type {string} */ text) =>
    h("input", {
      type: "number",
      step: "any",
      inputMode: "decimal",
      id: `filter-${field.name}-${side}`,
      value: bounds[side] ?? "",
      placeholder: String(field[side]),
      "aria-label": t(text, { field: label(field.name) }),
      onchange: (/** @type {Event} */ event) => {
        const typed = /** @type {HTMLInputElement} */ (event.target).value;
        const next = { ...bounds, [side]: typed === "" ? undefined : Number(typed) };
        // Who types the larger number first means the same bounds.
        if (next.low !== undefined && next.high !== undefined && next.low > next.high) {
          [next.low, next.high] = [next.high, next.low];
        }
        set(next.low === undefined && next.high === undefined ? null : next);
      },
    });
  return h("fieldset.range", {}, h("legend", {}, label(field.name)),
    h("div", {}, end("low", "filters.from"), h("span", { "aria-hidden": "true" }, "–"), end("high", "filters.to")));
}
