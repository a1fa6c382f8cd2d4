// A document in front of the page: its picture, its fields, and why it has its score.

import { dialog, h } from "./dom.js";
import { frame, hasPictures, label, shown, title } from "./card.js";
import { ask } from "./service.js";
import { t } from "./words.js";

/** @typedef {import("./service.js").Catalog} Catalog */
/** @typedef {import("./service.js").Explanation} Explanation */
/** @typedef {import("./service.js").Part} Part */

/** Contributions below this are summed up in one line. */
const SMALL = 0.005;

/**
 * Open a document.
 * @param {Catalog} catalog
 * @param {string} docId
 * @param {{
 *   query: Record<string, unknown> | null, picture: Blob | null, why: boolean,
 *   wanted: () => boolean, like: () => void, closed: () => void, step: ((by: number) => void) | null,
 * }} how `query` is what to explain it by; `why` goes there at once; `step` opens the next one; `wanted` says
 *   whether this one still is when it has arrived.
 * @param {HTMLDialogElement | null} before An open one, which then shows this document.
 * @returns {Promise<HTMLDialogElement | null>} `null` where it is not wanted any more.
 */
export async function openDocument(catalog, docId, how, before) {
  const path = `/documents/${encodeURIComponent(docId)}`;
  const [{ fields }, explained] = await Promise.all([
    ask(path),
    how.query && ask("/explain", { json: { ...how.query, doc_id: docId }, picture: how.picture }),
  ]);
  if (!how.wanted()) return null;
  const marked = /** @type {Explanation | null} */ (explained)?.marked ?? {};
  const name = title(catalog, docId, fields);
  const rows = catalog.fields.filter((field) => field.type !== "image" && field.name in fields);
  const made = before?.open ? before : dialog(hasPictures(catalog) ? ".document" : ".document.textual");
  const content = [
    h("div.bar-top", {},
      how.step && h("button.quiet", { type: "button", "aria-label": t("previous"), title: `${t("previous")} (←)`, onclick: () => how.step?.(-1) }, "←"),
      how.step && h("button.quiet", { type: "button", "aria-label": t("next"), title: `${t("next")} (→)`, onclick: () => how.step?.(1) }, "→"),
      h("button.quiet.close", { type: "button", "aria-label": t("close"), title: `${t("close")} (Esc)`, onclick: () => made.close() }, "×"),
    ),
    h("div.sheet", {},
      hasPictures(catalog) && frame(catalog, fields, 1024, name),
      h("div.words", {},
        h("h2", { id: "document-title", tabIndex: -1 }, name),
        h("div.actions", {},
          h("button.primary", { type: "button", onclick: how.like }, t("more.like")),
          h("button.quiet", { type: "button", onclick: copyLink }, t("copy")),
        ),
        h("dl", {},
          ...rows.flatMap((field) => [
            h("dt", {}, label(field.name)),
            h("dd", {}, ...(field.type !== "number" && marked[field.name] ? pieces(marked[field.name]) : value(shown(fields[field.name]), marked[field.name]))),
          ]),
          h("dt", {}, t("id")), h("dd", {}, docId),
        ),
      ),
    ),
    explained ? explanation(catalog, explained, Boolean(how.query?.like)) : "",
  ];
  made.replaceChildren(...content);
  made.scrollTop = 0;
  made.setAttribute("aria-labelledby", "document-title");
  made.onclose = how.closed;
  made.onkeydown = (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by && how.step) {
      event.preventDefault();
      how.step(by);
    }
  };
  made.querySelector("h2")?.focus();
  if (how.why) made.querySelector(".why")?.scrollIntoView();
  return made;
}

/** @param {Event} event */
async function copyLink(event) {
  const button = /** @type {HTMLButtonElement} */ (event.currentTarget);
  await navigator.clipboard.writeText(location.href);
  button.textContent = t("copied");
}

/** @param {[string, boolean][]} cut */
const pieces = (cut) => cut.map(([text, hit]) => (hit ? h("mark", {}, text) : text));

/**
 * A number, marked as a whole where the query has it.
 * @param {string} text
 * @param {[string, boolean][] | undefined} cut
 */
const value = (text, cut) => [cut ? h("mark", {}, text) : text];

/**
 * The contributions as bars, and their sum.
 * @param {Catalog} catalog
 * @param {Explanation} explained
 * @param {boolean} likeness Whether the query is a document itself.
 */
function explanation(catalog, explained, likeness) {
  const large = explained.contributions.filter((part) => Math.abs(part.score) >= SMALL);
  const small = explained.contributions.filter((part) => Math.abs(part.score) < SMALL);
  const most = Math.max(...explained.contributions.map((part) => Math.abs(part.score)), 1e-9);
  const asked = likeness ? catalog.fields : catalog.query_fields;
  const rows = large.map((part) => row(phrase(part, asked, likeness), part.score, most));
  if (small.length) {
    const sum = small.reduce((total, part) => total + part.score, 0);
    rows.push(row([t("explain.rest", { count: small.length })], sum, most));
  }
  return h("section.why", {},
    h("h3", {}, t("explain")),
    h("p.note", {}, t(explained.contributions.length ? "explain.lede" : "explain.nothing")),
    h("table", {},
      h("thead", {}, h("tr", {}, h("th", {}, t("explain.parts")), h("td"), h("th.number", {}, t("explain.adds")))),
      h("tbody", {}, ...rows),
      h("tfoot", {}, h("tr", {}, h("th", {}, t("explain.sum")), h("td"), h("td.number", {}, signed(explained.score, false)))),
    ),
  );
}

/**
 * @param {(Node | string)[]} words
 * @param {number} score
 * @param {number} most
 */
function row(words, score, most) {
  const filled = h(score < 0 ? "i.less" : "i");
  filled.style.width = `${(50 * Math.abs(score)) / most}%`;
  return h("tr", {}, h("th", {}, ...words), h("td.both", { "aria-hidden": "true" }, filled), h("td.number", {}, signed(score, true)));
}

/**
 * What meets what.
 * @param {{query: Part, document: Part}} part
 * @param {import("./service.js").Field[]} asked
 * @param {boolean} likeness
 * @returns {(Node | string)[]}
 */
function phrase(part, asked, likeness) {
  if (part.query.kind === "prior") return [t("explain.prior")];
  if (part.query.kind === "exact terms") return [t("explain.exact")];
  if (part.query.kind === "BM25") return [t("explain.common")];
  const evidence = t("explain.evidence");
  const type = asked.find((field) => field.name === part.query.field)?.type;
  const ours = part.query.kind === "evidence" ? evidence
    : likeness ? label(part.query.field ?? "") : t(type === "image" ? "explain.picture" : "explain.words");
  const theirs = part.document.kind === "evidence" ? evidence : label(part.document.field ?? "");
  return [ours, h("span.times", {}, " × "), theirs];
}

/**
 * @param {number} score
 * @param {boolean} plus
 */
function signed(score, plus) {
  const text = Math.abs(score).toFixed(3);
  return `${score < 0 && Number(text) ? "−" : plus ? "+" : ""}${text}`;
}

