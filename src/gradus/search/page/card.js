// A document as people see it: its title, its facts, its picture.

import { h } from "./dom.js";
import { showPicture } from "./service.js";
import { language, quantity } from "./words.js";

/** @typedef {import("./service.js").Fields} Fields */
/** @typedef {import("./service.js").Catalog} Catalog */

/** What stands in brackets behind a field's name: units, and the languages of texts. */
const ASIDES = new Set(["en", "ja", "mm", "cm", "m", "um", "inch", "g", "kg", "t", "s", "ms", "h", "v", "a", "w", "kw", "hz", "nm", "deg", "c", "k", "pa", "mpa", "bar", "l", "ml", "eur", "usd", "jpy", "yen"]);

/** A field's name as a label: `diameter_mm` is “Diameter (mm)”. @param {string} name */
export function label(name) {
  const words = name.split(/[_\s]+/).filter(Boolean);
  const aside = words.length > 1 && ASIDES.has(words[words.length - 1].toLowerCase()) ? words.pop() : null;
  const text = words.join(" ");
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${aside ? ` (${aside})` : ""}`;
}

/** The language that a text field is in, as far as its name says. @param {string} name */
const languageOf = (name) => /_(en|ja)$/.exec(name)?.[1] ?? null;

/**
 * What a document is called: its first text, one in the reader's language if there is one.
 * @param {Catalog} catalog
 * @param {string} docId
 * @param {Fields} fields
 */
export function title(catalog, docId, fields) {
  const texts = catalog.fields.filter((field) => field.type === "text" && field.name in fields);
  const own = texts.find((field) => languageOf(field.name) === language) ?? texts[0];
  return own ? String(fields[own.name]) : docId;
}

/**
 * A few categories that the title does not say already.
 * @param {Catalog} catalog
 * @param {string} docId
 * @param {Fields} fields
 */
export function facts(catalog, docId, fields) {
  const said = title(catalog, docId, fields).toLowerCase();
  return catalog.fields
    .filter((field) => field.type === "category" && isFacet(catalog, field) && field.name in fields)
    .map((field) => String(fields[field.name]))
    .filter((value) => !said.includes(value.toLowerCase()))
    .slice(0, 3)
    .join(" · ");
}

/**
 * Whether a category sorts the documents, rather than naming each of them.
 * @param {Catalog} catalog
 * @param {import("./service.js").Field} field
 */
export function isFacet(catalog, field) {
  const values = field.values ?? 0;
  return field.type === "category" && values > 1 && values <= Math.min(200, catalog.documents / 3);
}

/**
 * A field's value, as text.
 * @param {string | number} value
 */
export const shown = (value) => (typeof value === "number" ? quantity(value) : value);

/**
 * A document's first picture in a frame.
 * @param {Catalog} catalog
 * @param {Fields} fields
 * @param {number} side In pixels.
 * @param {string} [alt]
 */
export function frame(catalog, fields, side, alt = "") {
  const field = catalog.fields.find((one) => one.type === "image" && one.name in fields);
  const image = /** @type {HTMLImageElement} */ (h("img", { alt, loading: "lazy", decoding: "async" }));
  const framed = h("span.frame", {}, image);
  void showPicture(image, field && fields[field.name], side);
  return framed;
}

/** Whether the catalogue has pictures at all. @param {Catalog} catalog */
export const hasPictures = (catalog) => catalog.fields.some((field) => field.type === "image");
