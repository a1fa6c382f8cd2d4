// Two models, one query: two lists side by side, and a vote of somebody who does not know which is whose.

import { facts, frame, hasPictures, title } from "./card.js";
import { at, h, isTyping } from "./dom.js";
import { ask } from "./service.js";
import { begin, clearNotice, raterField, showProblem } from "./shell.js";
import { t } from "./words.js";

/** @typedef {import("./service.js").Catalog} Catalog */
/** @typedef {import("./service.js").Hit} Hit */
/** @typedef {import("./service.js").Version} Version */
/** @typedef {{version: Version, hits: Hit[]}} List */

const K = 10;
const SIDES = /** @type {const} */ (["left", "right"]);

/** @type {Catalog} */
let catalog;

/** The two that are compared; the first is what moves are told against. @type {[Version, Version]} */
let pair;

/** What is shown, left and right. @type {{query: string, lists: [List, List], choice: string | null} | null} */
let shown = null;

/** @type {() => string} */
let rater;

/** @type {AbortController | null} */
let running = null;
let typing = 0;
let example = -1;

const text = /** @type {HTMLInputElement} */ (at("text"));
const names = /** @type {HTMLInputElement} */ (at("open"));

/** Answer the query with both. */
async function search() {
  running?.abort();
  const query = text.value.trim();
  history.replaceState(null, "", address(query));
  if (!query) {
    shown = null;
    show();
    return;
  }
  const mine = (running = new AbortController());
  at("status").textContent = t("searching");
  try {
    const lists = await Promise.all(pair.map(async (version) => {
      const json = { text: query, k: K, version: version.version, record: false };
      const found = await ask("/search", { json, signal: mine.signal });
      return /** @type {List} */ ({ version, hits: found.hits });
    }));
    if (mine.signal.aborted) return;
    // Who sits where says nothing: a coin is thrown for each query.
    if (!names.checked && crypto.getRandomValues(new Uint8Array(1))[0] % 2) lists.reverse();
    shown = { query, lists: [lists[0], lists[1]], choice: null };
    clearNotice();
    show();
  } catch (error) {
    if (mine.signal.aborted) return;
    shown = null;
    show();
    showProblem(error, () => void search());
  }
}

/** @param {string} query */
function address(query) {
  const said = new URLSearchParams(location.search);
  if (query) said.set("q", query);
  else said.delete("q");
  const made = said.toString();
  return made ? `?${made}` : location.pathname;
}

/** Show both lists, and the vote or what came of it. */
function show() {
  const vote = at("vote");
  vote.hidden = !shown;
  if (!shown) {
    at("lists").replaceChildren();
    at("status").textContent = t("compare.begin");
    return;
  }
  const { lists, choice } = shown;
  const told = choice !== null || names.checked;
  const ids = lists.map((list) => new Set(list.hits.map((hit) => hit.doc_id)));
  const both = lists[0].hits.filter((hit) => ids[1].has(hit.doc_id)).length;
  const same = lists[0].hits.map((hit) => hit.doc_id).join("\n") === lists[1].hits.map((hit) => hit.doc_id).join("\n");
  at("status").textContent = same ? t("compare.same") : t("compare.shared", { count: both, of: Math.max(...lists.map((list) => list.hits.length)) });
  at("lists").replaceChildren(...SIDES.map((side, place) => column(side, lists[place], lists[1 - place], told)));
  if (names.checked && choice === null) vote.replaceChildren();
  else if (choice === null) {
    vote.replaceChildren(...[["left", "1"], ["tie", "2"], ["right", "3"]].map(([name, key]) =>
      h("button.primary", { type: "button", "data-choice": name, onclick: () => void cast(name) },
        t(`compare.${name}`), h("kbd", { "aria-hidden": "true" }, key))));
  } else {
    const chosen = choice === "tie" ? t("compare.tied") : t("compare.voted", { name: called(lists[choice === "left" ? 0 : 1].version) });
    vote.replaceChildren(h("p", { role: "status" }, h("b", {}, chosen), " ", tally()),
      h("button.primary", { type: "button", onclick: next }, t("compare.next")));
  }
}

/** A model's name, with its version where that is needed to tell it apart. @param {Version} version */
const called = ({ name, version }) =>
  name && catalog.versions.filter((other) => other.name === name).length === 1 ? name : `${name} ${version}`;

/**
 * @param {"left" | "right"} side
 * @param {List} list
 * @param {List} other
 * @param {boolean} told Whether the names are out.
 */
function column(side, list, other, told) {
  const letter = side === "left" ? "A" : "B";
  const place = new Map(other.hits.map((hit) => [hit.doc_id, hit.position]));
  const isFirst = list.version.version === pair[0].version;
  return h(told && !isFirst ? "section.second" : "section", { "aria-label": told ? called(list.version) : letter },
    h("h2", {}, h("span.letter", {}, letter), told && h("span.name", {}, called(list.version))),
    h("ol", {}, ...list.hits.map((hit) => item(hit, move(hit, place.get(hit.doc_id), told, isFirst)))),
    !list.hits.length && h("p.note", {}, t("found.none")),
  );
}

/**
 * How a document's place differs from its place in the other list. Before the vote it is only said that it differs:
 * up, new and gone would tell which list is the newer one.
 * @param {Hit} hit
 * @param {number | undefined} elsewhere
 * @param {boolean} told
 * @param {boolean} isFirst
 */
function move(hit, elsewhere, told, isFirst) {
  if (elsewhere === undefined) {
    return told ? h(isFirst ? "span.move.gone" : "span.move.new", {}, t(isFirst ? "compare.gone" : "compare.new")) : h("span.move", {}, t("compare.here"));
  }
  const up = elsewhere - hit.position;
  if (!told || isFirst || !up) return null;
  const way = up > 0 ? "up" : "down";
  return h(`span.move.${way}`, { role: "img", "aria-label": t(`compare.${way}`, { count: Math.abs(up) }) }, `${up > 0 ? "↑" : "↓"}${Math.abs(up)}`);
}

/**
 * @param {Hit} hit
 * @param {HTMLElement | null} moved
 */
function item(hit, moved) {
  const about = facts(catalog, hit.doc_id, hit.fields);
  return h(moved ? "li.moved" : "li", { "data-id": hit.doc_id },
    h("span.place", {}, hit.position),
    hasPictures(catalog) && frame(catalog, hit.fields, 240),
    h("div", {}, h("p", {}, title(catalog, hit.doc_id, hit.fields)), about && h("p.facts", {}, about)),
    moved,
  );
}

/** @param {string} choice */
async function cast(choice) {
  if (!shown || shown.choice !== null || names.checked) return;
  const { query, lists } = shown;
  if (!rater()) {
    showMissing();
    return;
  }
  const listed = (/** @type {List} */ list) => ({ version: list.version.version, doc_ids: list.hits.map((hit) => hit.doc_id) });
  try {
    await ask("/votes", { json: { rater: rater(), query, choice, left: listed(lists[0]), right: listed(lists[1]) } });
  } catch (error) {
    showProblem(error, () => void cast(choice));
    return;
  }
  clearNotice();
  const votes = JSON.parse(sessionStorage.getItem("gradus.votes") ?? "{}");
  const name = choice === "tie" ? "" : called(lists[choice === "left" ? 0 : 1].version);
  sessionStorage.setItem("gradus.votes", JSON.stringify({ ...votes, [name]: (votes[name] ?? 0) + 1 }));
  shown.choice = choice;
  show();
}

function showMissing() {
  at("notice").replaceChildren(h("div.notice", { role: "alert" }, h("p", {}, t("rater.missing"))));
  at("rater").focus();
}

/** The votes of this tab. */
function tally() {
  const votes = JSON.parse(sessionStorage.getItem("gradus.votes") ?? "{}");
  const counts = [...pair.map((version) => [called(version), votes[called(version)] ?? 0]), [t("compare.ties"), votes[""] ?? 0]];
  return h("span.note", {}, `${t("compare.tally")} ${counts.map(([name, count]) => `${name} ${count}`).join(" · ")}`);
}

/** Take the next of the queries that wait. */
function next() {
  if (!catalog.examples.length) {
    text.value = "";
    text.focus();
    return;
  }
  if (example < 0) example = Math.floor(Math.random() * catalog.examples.length);
  example = (example + 1) % catalog.examples.length;
  text.value = catalog.examples[example];
  void search();
}

/** Let people choose which two of several models, if there are more. */
function choosePair() {
  const [first, ...others] = catalog.versions;
  const select = /** @type {HTMLSelectElement} */ (at("pair"));
  at("pair-label").hidden = others.length < 2;
  select.replaceChildren(...others.map((other, place) => h("option", { value: String(place) }, `${called(first)} – ${called(other)}`)));
  select.onchange = () => {
    pair = [first, others[Number(select.value)]];
    void search();
  };
  pair = [first, others[0]];
}

function showAlone() {
  at("ask").hidden = true;
  at("status").hidden = true;
  at("notice").replaceChildren(h("div.notice", {}, h("p", {}, t("compare.one")), h("pre", {}, h("code", {}, "gradus serve MODEL --against OTHER"))));
}

void begin("compare", (read) => {
  catalog = read;
  if (catalog.versions.length < 2) {
    showAlone();
    return;
  }
  if (pair) {
    show(); // in the other language
    return;
  }
  choosePair();
  rater = raterField(clearNotice);
  text.value = new URLSearchParams(location.search).get("q") ?? "";
  text.oninput = () => {
    clearTimeout(typing);
    typing = setTimeout(() => void search(), 250);
  };
  at("ask").onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    clearTimeout(typing);
    void search();
    text.blur(); // the keys vote now
  };
  names.onchange = () => void search();
  at("next").onclick = next;
  at("next").hidden = !catalog.examples.length;
  document.addEventListener("keydown", (event) => {
    if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const choice = { 1: "left", 2: "tie", 3: "right" }[event.key];
    if (choice) void cast(choice);
    else if (event.key === "n") next();
    else if (event.key === "/") {
      event.preventDefault();
      text.focus();
      text.select();
    }
  });
  void search();
});
