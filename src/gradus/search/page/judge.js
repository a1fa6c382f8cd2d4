// Experts say how well documents answer queries, and see where they disagree.

import { facts, frame, hasPictures, title } from "./card.js";
import { at, h, isTyping } from "./dom.js";
import { ask } from "./service.js";
import { begin, clearNotice, raterField, showProblem } from "./shell.js";
import { known, number, t } from "./words.js";

/** @typedef {import("./service.js").Catalog} Catalog */
/** @typedef {import("./service.js").Hit} Hit */
/** @typedef {number | string} Grade */
/** @typedef {{query: string, mine: number, raters: number}} Waiting */

/** Documents of each model that are to be judged. */
const K = 10;

/** @type {Catalog} */
let catalog;

/** @type {() => string} */
let rater;

/** @type {Waiting[]} */
let waiting = [];

/** The query that is judged, its candidates, and what was said of them. @type {{query: string, hits: Hit[], grades: Record<string, Grade>} | null} */
let current = null;

const grid = at("grid");

/** Read how far this rater is, and show it. */
async function refresh() {
  if (!rater()) {
    at("status").textContent = t("judge.begin");
    return;
  }
  try {
    waiting = (await ask(`/grades/progress?${new URLSearchParams({ rater: rater() })}`)).queries;
    clearNotice();
    showQueries();
  } catch (error) {
    showProblem(error, () => void refresh());
  }
}

function showQueries() {
  const begun = waiting.filter((one) => one.mine).length;
  at("progress").replaceChildren(
    h("progress", { max: Math.max(1, waiting.length), value: begun, "aria-label": t("judge.queries") }),
    h("span", {}, t("judge.progress", { done: number(begun), of: number(waiting.length) })),
  );
  at("queries").replaceChildren(...waiting.slice(0, 500).map((one) =>
    h("li", {}, h("button", {
      type: "button",
      "aria-current": current?.query === one.query ? "true" : undefined,
      onclick: () => void take(one.query),
    }, h("span", {}, one.query), one.mine > 0 && h("span.count", { "aria-label": t("judge.mine", { count: one.mine }) }, `✓ ${one.mine}`))),
  ));
}

/**
 * Take up a query: the best documents of every model, in an order that tells nothing of their ranks.
 * @param {string} query
 */
async function take(query) {
  if (!rater()) {
    at("notice").replaceChildren(h("div.notice", { role: "alert" }, h("p", {}, t("rater.missing"))));
    at("rater").focus();
    return;
  }
  at("status").textContent = t("searching");
  try {
    const [{ grades }, ...lists] = await Promise.all([
      ask(`/grades?${new URLSearchParams({ rater: rater(), query })}`),
      ...catalog.versions.map(({ version }) => ask("/search", { json: { text: query, k: K, version, record: false } })),
    ]);
    /** @type {Map<string, Hit>} */
    const pool = new Map(lists.flatMap((found) => found.hits.map((/** @type {Hit} */ hit) => [hit.doc_id, hit])));
    const hits = [...pool.values()].sort((one, other) => scramble(query + one.doc_id) - scramble(query + other.doc_id));
    current = { query, hits, grades };
    clearNotice();
    showCandidates();
    showQueries();
    document.querySelector("#queries [aria-current]")?.scrollIntoView({ block: "nearest" });
    (grid.querySelector("li:not(.graded)") ?? grid.querySelector("li"))?.focus({ preventScroll: true });
  } catch (error) {
    showProblem(error, () => void take(query));
  }
}

/** A number that a text always has, and that nobody can foresee (FNV-1a). @param {string} text */
function scramble(text) {
  let hash = 0x811c9dc5;
  for (let place = 0; place < text.length; place++) hash = Math.imul(hash ^ text.charCodeAt(place), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}

function showCandidates() {
  if (!current) return;
  at("query").textContent = current.query;
  grid.replaceChildren(...current.hits.map(candidate));
  at("next").hidden = !waiting.some((one) => !one.mine && one.query !== current?.query);
  const keys = catalog.scale.map((grade, place) => (typeof grade === "number" ? grade : place + 1));
  at("legend").textContent = t("judge.legend", { keys: `${keys[0]}–${keys[keys.length - 1]}` });
  showHere();
}

function showHere() {
  if (!current) return;
  const { hits, grades } = current;
  at("status").textContent = t("judge.here", { done: hits.filter((hit) => hit.doc_id in grades).length, of: hits.length });
}

/** @param {Hit} hit */
function candidate(hit) {
  const name = title(catalog, hit.doc_id, hit.fields);
  const about = facts(catalog, hit.doc_id, hit.fields);
  const given = current?.grades[hit.doc_id];
  return h(given === undefined ? "li.card" : "li.card.graded", { "data-id": hit.doc_id, tabIndex: -1, "aria-label": name },
    hasPictures(catalog) && frame(catalog, hit.fields, 480),
    h("span.title", {}, name),
    about && h("p.facts", {}, about),
    h("div.grades", { role: "group", "aria-label": `${t("judge.grade")}: ${name}` },
      ...catalog.scale.map((grade) => h("button", {
        type: "button",
        "aria-pressed": String(given === grade),
        "data-grade": String(grade),
        onclick: () => void give(hit.doc_id, grade),
      }, h("b", {}, grade), meaning(grade)))),
  );
}

/** What a grade of the usual scale means. @param {Grade} grade */
function meaning(grade) {
  const usual = catalog.scale.length === 4 && known(`judge.level.${grade}`);
  return usual && h("small", {}, t(`judge.level.${grade}`));
}

/**
 * Give a grade; it is shown at once, and taken back where it cannot be recorded.
 * @param {string} docId
 * @param {Grade} grade
 */
async function give(docId, grade) {
  if (!current) return;
  const { query, hits, grades } = current;
  const before = grades[docId];
  grades[docId] = grade;
  mark(docId, grade);
  try {
    await ask("/grades", { json: { rater: rater(), grades: [{ query, doc_id: docId, grade }] }, keepalive: true });
    clearNotice();
    const row = waiting.find((one) => one.query === query);
    const mine = hits.filter((hit) => hit.doc_id in grades).length;
    if (row) row.mine = Math.max(row.mine, mine);
    else waiting.push({ query, mine, raters: 1 });
    showQueries();
  } catch (error) {
    if (before === undefined) delete grades[docId];
    else grades[docId] = before;
    mark(docId, before);
    showProblem(error, () => void give(docId, grade));
  }
}

/**
 * @param {string} docId
 * @param {Grade | undefined} grade
 */
function mark(docId, grade) {
  const card = cardOf(docId);
  card?.classList.toggle("graded", grade !== undefined);
  for (const button of card?.querySelectorAll("[data-grade]") ?? []) {
    button.setAttribute("aria-pressed", String(button.getAttribute("data-grade") === String(grade)));
  }
  showHere();
}

/** @param {string} docId */
const cardOf = (docId) => /** @type {HTMLElement | undefined} */ ([...grid.children].find((card) => card.dataset.id === docId));

/** Take the next query that this rater has said nothing about. */
function next() {
  const here = waiting.findIndex((one) => one.query === current?.query);
  const following = [...waiting.slice(here + 1), ...waiting.slice(0, here + 1)].find((one) => !one.mine);
  if (following) void take(following.query);
}

/** @param {KeyboardEvent} event */
function press(event) {
  if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.key === "n" || event.key === "N") {
    next();
    return;
  }
  if (!current || at("rating").hidden) return;
  const cards = /** @type {HTMLElement[]} */ ([...grid.children]);
  const here = cards.findIndex((card) => card.contains(document.activeElement));
  const grade = catalog.scale.find((one, place) => event.key === String(typeof one === "number" ? one : place + 1));
  if (grade !== undefined && here >= 0) {
    void give(current.hits[here].doc_id, grade);
    const open = [...cards.slice(here + 1), ...cards.slice(0, here)].find((card) => !card.classList.contains("graded"));
    (open ?? at("next")).focus();
    return;
  }
  const top = cards[0]?.getBoundingClientRect().top ?? 0;
  const columns = cards.filter((card) => Math.abs(card.getBoundingClientRect().top - top) < 4).length;
  const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
  if (by === undefined || !cards.length) return;
  event.preventDefault();
  cards[here < 0 ? 0 : Math.min(cards.length - 1, Math.max(0, here + by))].focus();
}

/** @param {boolean} disputes */
async function turn(disputes) {
  at("rate").setAttribute("aria-pressed", String(!disputes));
  at("disputes").setAttribute("aria-pressed", String(disputes));
  at("rating").hidden = disputes;
  at("disputed").hidden = !disputes;
  if (!disputes) return;
  try {
    showDisputes(await ask("/grades/disputes"));
    clearNotice();
  } catch (error) {
    showProblem(error, () => void turn(true));
  }
}

/** @param {{pairs: number, disputes: {query: string, doc_id: string, grades: Record<string, Grade>, fields: import("./service.js").Fields}[]}} found */
function showDisputes({ pairs, disputes }) {
  at("disputed").replaceChildren(
    h("p.note", {}, disputes.length ? t("judge.agree", { count: number(disputes.length), of: number(pairs) }) : t("judge.no.disputes")),
    h("ul", {}, ...disputes.map((one) =>
      h("li", {},
        hasPictures(catalog) && frame(catalog, one.fields, 240),
        h("div", {}, h("h2", {}, one.query), h("p", {}, title(catalog, one.doc_id, one.fields))),
        h("div.scale", {}, ...catalog.scale.map((grade) =>
          h("div", {}, h("b", {}, grade),
            ...Object.entries(one.grades).filter(([, given]) => given === grade).map(([name]) => h("span.rater", {}, name))))),
        h("button.quiet", { type: "button", onclick: () => void turn(false).then(() => take(one.query)) }, t("judge.rate")),
      ))),
  );
}

let started = false;
void begin("judge", (read) => {
  catalog = read;
  if (started) {
    showQueries(); // in the other language
    showCandidates();
    if (!at("disputed").hidden) void turn(true);
    return;
  }
  started = true;
  rater = raterField(() => {
    current = null;
    grid.replaceChildren();
    void refresh();
  });
  at("own").onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const query = at("text").value.trim();
    if (query) void take(query);
  };
  at("next").onclick = next;
  at("rate").onclick = () => void turn(false);
  at("disputes").onclick = () => void turn(true);
  document.addEventListener("keydown", press);
  void refresh();
});
