// The documents in the grid: cards that are kept while the order changes, and the arrows that move among them.

import { facts, frame, hasPictures, title } from "./card.js";
import { at, bar, h } from "./dom.js";
import { language, t } from "./words.js";

/** @typedef {import("./service.js").Catalog} Catalog */
/** @typedef {import("./service.js").Hit} Hit */
/** @typedef {{href: (docId: string) => string, open: (docId: string, why: boolean) => void, like: (docId: string) => void}} Actions */

const SIDE = 400;

/** Cards that are there already, to be moved instead of made again. @type {Map<string, HTMLElement>} */
let cards = new Map();

/**
 * Show what was found.
 * @param {Catalog} catalog
 * @param {Hit[]} hits
 * @param {Actions} actions
 */
export function showCards(catalog, hits, actions) {
  cards = new Map(hits.map((hit) => [hit.doc_id, card(catalog, hit, actions, cards.get(hit.doc_id))]));
  at("grid").replaceChildren(...cards.values());
}

/**
 * A document that was found.
 * @param {Catalog} catalog
 * @param {Hit} hit
 * @param {Actions} actions
 * @param {HTMLElement} [before] Its card from the last answer.
 */
function card(catalog, hit, actions, before) {
  const score = t("score", { score: hit.score.toFixed(3) });
  if (before?.dataset.lang === language) {
    before.querySelector(".bar")?.replaceWith(bar(hit.score, score));
    before.querySelector("a")?.setAttribute("href", actions.href(hit.doc_id));
    return before;
  }
  const name = title(catalog, hit.doc_id, hit.fields);
  const about = facts(catalog, hit.doc_id, hit.fields);
  return h("li.card", { "data-id": hit.doc_id, "data-lang": language },
    link(catalog, hit, actions),
    about && h("p.facts", {}, about),
    h("div.foot", {},
      bar(hit.score, score),
      h("button.quiet", { type: "button", "aria-label": `${t("more.like")}: ${name}`, onclick: () => actions.like(hit.doc_id) }, t("more.like")),
      h("button.quiet", { type: "button", "aria-label": `${t("why")} ${name}`, onclick: () => actions.open(hit.doc_id, true) }, t("why")),
    ),
  );
}

/**
 * A document's picture and title, which open it here, or in another tab where the click asks for one.
 * @param {Catalog} catalog
 * @param {{doc_id: string, fields: import("./service.js").Fields}} document
 * @param {Actions} actions
 */
function link(catalog, { doc_id, fields }, actions) {
  const onclick = (/** @type {MouseEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    actions.open(doc_id, false);
  };
  return h("a.open", { href: actions.href(doc_id), onclick },
    hasPictures(catalog) && frame(catalog, fields, SIDE), h("span.title", {}, title(catalog, doc_id, fields)));
}

/**
 * Show some documents, before anything is asked for.
 * @param {Catalog} catalog
 * @param {Actions} actions
 */
export function showSample(catalog, actions) {
  cards = new Map();
  at("grid").replaceChildren(...catalog.sample.map((document) =>
    h("li.card", { "data-id": document.doc_id }, link(catalog, document, actions))));
}

/** Where nothing is shown yet, show that something will be. */
export function showGhosts() {
  if (at("grid").children.length) return;
  at("grid").replaceChildren(...Array.from({ length: 8 }, () =>
    h("li.card.ghost", { "aria-hidden": "true" }, h("span.frame"), h("span.title"))));
}

/** Show nothing. */
export function clearCards() {
  cards = new Map();
  at("grid").replaceChildren();
}

/** Go back to a document in the grid. @param {string} docId */
export const focusCard = (docId) => cards.get(docId)?.querySelector("a")?.focus();

/**
 * Move among the cards as they stand in rows.
 * @param {KeyboardEvent} event
 * @returns {boolean} Whether that leads out of them, upwards.
 */
export function move(event) {
  const links = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("#grid a.open")]);
  const here = links.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  if (here < 0) return false;
  const top = links[0].getBoundingClientRect().top;
  const columns = links.filter((one) => Math.abs(one.getBoundingClientRect().top - top) < 4).length;
  const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
  if (by === undefined) return false;
  event.preventDefault();
  if (here + by < 0) return true;
  links[Math.min(here + by, links.length - 1)].focus();
  return false;
}
