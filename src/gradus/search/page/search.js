// The search: what is asked for, the request for it, and the documents that were found.

import { frame, hasPictures, title } from "./card.js";
import { openDocument } from "./detail.js";
import { at, h, isTyping } from "./dom.js";
import { counted, showFilters } from "./facets.js";
import { prepared, takePictures } from "./picture.js";
import { clearCards, focusCard, move, showCards, showGhosts, showSample } from "./results.js";
import { ask, session } from "./service.js";
import { begin, clearNotice, showProblem } from "./shell.js";
import { address, empty, MOST, PAGE, read, weights } from "./state.js";
import { showWeighing } from "./weighing.js";
import { language, number, t } from "./words.js";

/** @typedef {import("./service.js").Catalog} Catalog */
/** @typedef {import("./service.js").Found} Found */

const TYPING_MS = 150;

/** A query that stands for so long is meant: only then is it recorded as a search. */
const SETTLED_MS = 1200;

/** @type {Catalog} */
let catalog;
let state = read(location.search);

/** The picture to search by. @type {Blob | null} */
let picture = null;

/** What is shown, and the request that it answers. @type {{found: Found, asked: string} | null} */
let shown = null;

/** The id under which the log knows what is shown, once it was recorded. @type {Promise<string> | null} */
let recorded = null;

/** @type {AbortController | null} */
let running = null;
let settling = 0;
let typing = 0;

/** Whether anything is asked for. */
const asks = () => Boolean(state.text.trim() || state.like || picture);

/** What is asked for, as the service understands it. */
function query() {
  /** @type {Record<string, unknown>} */
  const asked = state.like ? { like: state.like } : { text: state.text };
  if (state.version) asked.version = state.version;
  const fields = state.like ? catalog.fields : catalog.query_fields;
  if (slides()) asked.weights = weights(fields, state.mix);
  if (Object.keys(weighed()).length) asked.document_weights = weighed();
  return asked;
}

/** Factors on documents' fields, of those that can be weighed: a shared link may name others. */
const weighed = () =>
  Object.fromEntries(Object.entries(state.weigh).filter(([name]) => catalog.document_weights.includes(name)));

/** The whole request. */
const request = () => ({ ...query(), k: state.k, filters: state.filters, facets: counted(catalog), session_id: session });

/** Whether there are words and a picture to weigh against each other. */
function slides() {
  const encoded = state.like ? catalog.fields.filter((field) => field.weight > 0) : catalog.query_fields;
  const both = encoded.some((field) => field.type === "image") && encoded.some((field) => field.type !== "image");
  return both && (Boolean(state.like) || Boolean(picture && state.text.trim()));
}

/**
 * Change what is asked for, and answer it.
 * @param {Partial<import("./state.js").State>} change
 * @param {{step?: boolean, wait?: number}} [how] `step`: the back button leads back to what was before.
 */
function change(change, { step = true, wait = 0 } = {}) {
  state = { ...state, k: PAGE, ...change };
  history[step ? "pushState" : "replaceState"](null, "", address(state));
  showAsked();
  clearTimeout(typing);
  typing = setTimeout(() => void search(), wait);
}

/** Answer what is asked for; an answer to what was asked before is given up. */
async function search() {
  running?.abort();
  clearTimeout(settling);
  recorded = null;
  if (!asks()) {
    showStart();
    return;
  }
  const mine = (running = new AbortController());
  const asked = request();
  const busy = setTimeout(() => setBusy(true), 120);
  const start = performance.now();
  try {
    const found = /** @type {Found} */ (await ask("/search", { json: { ...asked, record: false }, picture, signal: mine.signal }));
    if (mine.signal.aborted) return;
    shown = { found, asked: JSON.stringify(asked) };
    clearNotice();
    showFound(Math.round(performance.now() - start));
    settling = setTimeout(() => void settle().catch(() => {}), SETTLED_MS);
  } catch (error) {
    if (mine.signal.aborted) return;
    showNothing();
    showProblem(error, () => void search());
  } finally {
    clearTimeout(busy);
    if (running === mine) setBusy(false);
  }
}

/**
 * Have what is shown recorded as a search, once.
 * @returns {Promise<string>} The id that events on its documents carry.
 */
function settle() {
  clearTimeout(settling);
  recorded ??= ask("/search", { json: request(), picture }).then((found) => found.query_id);
  return recorded;
}

/** Answer what is asked for, unless that is shown already, and record it. */
async function searchAndSettle() {
  if (shown?.asked !== JSON.stringify(request())) await search();
  if (asks()) await settle();
}

/** Answer what is asked for, and open the document that the address names. */
async function searchAndOpen() {
  await search();
  if (state.open && !opening) await open(state.open, false);
}

/** @param {boolean} busy */
function setBusy(busy) {
  at("columns").setAttribute("aria-busy", String(busy));
  if (!busy) return;
  showGhosts();
  at("status").textContent = t("searching");
}

/** Show what is asked for: the words, the picture, the document. */
function showAsked() {
  const text = /** @type {HTMLInputElement} */ (at("text"));
  if (text.value !== state.text) text.value = state.text;
  at("picture").hidden = !picture;
  at("mix").hidden = !slides();
  at("mix-range").value = state.mix;
  showWeighing(catalog.document_weights, weighed(), (weigh) => change({ weigh }, { step: false, wait: TYPING_MS }));
  const like = at("like");
  like.hidden = !state.like;
  if (!state.like) like.replaceChildren();
  else if (like.dataset.of !== state.like + language) void showLike(state.like);
}

/** @param {string} docId */
async function showLike(docId) {
  const like = at("like");
  like.dataset.of = docId + language;
  const { fields } = await ask(`/documents/${encodeURIComponent(docId)}`).catch(() => ({ fields: {} }));
  if (state.like !== docId) return;
  like.replaceChildren(
    hasPictures(catalog) ? frame(catalog, fields, 96) : "",
    h("span", {}, t("like", { title: title(catalog, docId, fields) })),
    h("button.remove", { type: "button", "aria-label": t("like.remove"), onclick: () => change({ like: "" }) }, "×"),
  );
}

/** What can be done with a document in the grid. */
const actions = {
  href: (/** @type {string} */ docId) => address({ ...state, open: docId }),
  open: (/** @type {string} */ docId, /** @type {boolean} */ why) => void open(docId, why),
  like: (/** @type {string} */ docId) => lookLike(docId),
};

/** @param {number} ms */
function showFound(ms) {
  if (!shown) return;
  const { hits, facets } = shown.found;
  showCards(catalog, hits, actions);
  at("columns").classList.remove("start");
  at("status").textContent = hits.length ? t(hits.length === 1 ? "found.one" : "found.ms", { count: number(hits.length), ms }) : t("found.none");
  if (!hits.length) {
    const filtered = Object.keys(state.filters).length > 0;
    at("notice").replaceChildren(h("div.notice", {},
      h("p", {}, t(filtered ? "none.filters" : "none.words")),
      filtered && h("button.primary", { type: "button", onclick: () => change({ filters: {} }) }, t("filters.clear")),
    ));
  }
  at("more").hidden = hits.length < state.k || state.k >= MOST;
  at("filters").hidden = false;
  at("weigh").hidden = catalog.document_weights.length < 2;
  showFilters(catalog, facets, state.filters, (filters) => change({ filters }));
}

/** Before anything is asked for: some queries to try, and some documents. */
function showStart() {
  shown = null;
  setBusy(false);
  clearNotice();
  at("filters").hidden = true;
  at("weigh").hidden = true;
  at("more").hidden = true;
  at("columns").classList.add("start");
  at("status").textContent = t("start");
  const kana = /[\u3040-\u30ff\u3400-\u9fff]/;
  const fitting = catalog.examples.filter((text) => kana.test(text) === (language === "ja"));
  const examples = (fitting.length >= 3 ? fitting : catalog.examples).slice(0, 6);
  if (examples.length) {
    at("notice").replaceChildren(h("p.examples", {}, h("span", {}, t("start.examples")),
      ...examples.map((text) => h("button.chip", { type: "button", onclick: () => change({ text }) }, text))));
  }
  showSample(catalog, actions);
}

/** Where an error stands in place of the answer. */
function showNothing() {
  shown = null;
  clearCards();
  at("more").hidden = true;
  at("status").textContent = "";
}

/** @param {string} docId */
function lookLike(docId) {
  picture = null;
  change({ like: docId, text: "", open: "", mix: 50 });
  scrollTo({ top: 0 });
  at("text").focus({ preventScroll: true });
}

/** @type {HTMLDialogElement | null} */
let opening = null;
let turns = 0;

/** Close the document that is open, to go on elsewhere. */
function shut() {
  if (opening) opening.onclose = null;
  opening?.close();
  opening = null;
}

/**
 * Open a document, and have the log know.
 * @param {string} docId
 * @param {boolean} why
 * @param {boolean} [step] Whether the back button closes it.
 */
async function open(docId, why, step = true) {
  if (state.open !== docId) {
    state.open = docId;
    history[step ? "pushState" : "replaceState"](null, "", address(state));
  }
  const mine = ++turns;
  const place = shown?.found.hits.findIndex((hit) => hit.doc_id === docId) ?? -1;
  if (place >= 0) void tell(docId, place + 1);
  const neighbours = shown?.found.hits.map((hit) => hit.doc_id) ?? [];
  try {
    const made = await openDocument(catalog, docId, {
      query: asks() ? query() : null,
      picture,
      why,
      wanted: () => mine === turns && state.open === docId,
      like: () => {
        shut();
        lookLike(docId);
      },
      step: place < 0 ? null : (by) => {
        const next = neighbours[place + by];
        if (next) void open(next, why, false);
      },
      closed: () => {
        opening = null;
        state.open = "";
        history.replaceState(null, "", address(state));
        focusCard(docId);
      },
    }, opening);
    if (made) opening = made;
  } catch (error) {
    state.open = "";
    history.replaceState(null, "", address(state));
    showProblem(error, () => void open(docId, why));
  }
}

/**
 * Record that a document was opened.
 * @param {string} docId
 * @param {number} position
 */
async function tell(docId, position) {
  if (!catalog.recording) return;
  try {
    const event = {
      action_name: "click",
      query_id: await settle(),
      session_id: session,
      event_attributes: { object: { object_id: docId }, position: { ordinal: position } },
    };
    await ask("/feedback", { json: { events: [event] }, keepalive: true });
  } catch {
    // Nobody who looks for a document is to be held up by the log.
  }
}

/** @param {Blob} file */
async function takePicture(file) {
  if (!catalog.query_fields.some((field) => field.type === "image")) {
    at("notice").replaceChildren(h("div.notice.wrong", { role: "alert" }, h("p", {}, t("picture.unsupported"))));
    return;
  }
  const made = await prepared(file);
  if (!made) {
    at("notice").replaceChildren(h("div.notice.wrong", { role: "alert" }, h("p", {}, t("picture.unreadable"))));
    return;
  }
  picture = made;
  const image = at("picture").querySelector("img");
  image.alt = t("picture.yours");
  image.onload = () => URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(made);
  change({ like: "", open: "" });
}

function listen() {
  const text = /** @type {HTMLInputElement} */ (at("text"));
  text.addEventListener("input", () => {
    // A query that was meant stays behind the back button; one that was only typed through does not.
    const step = recorded !== null || !asks();
    recorded = null;
    change({ text: text.value, like: "", open: "" }, { step, wait: TYPING_MS });
  });
  text.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "ArrowDown") {
      event.preventDefault();
      /** @type {HTMLElement | null} */ (document.querySelector("#grid a.open"))?.focus();
    } else if (event.key === "Escape" && text.value) {
      event.preventDefault();
      change({ text: "" });
    }
  });
  at("ask").addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    clearTimeout(typing);
    void searchAndSettle().catch(() => {});
  });
  at("picture").querySelector("button").onclick = () => {
    picture = null;
    change({});
    text.focus();
  };
  at("mix-range").oninput = (/** @type {Event} */ event) => {
    change({ mix: Number(/** @type {HTMLInputElement} */ (event.target).value) }, { step: false, wait: TYPING_MS });
  };
  at("more").onclick = () => change({ k: Math.min(MOST, state.k + PAGE) }, { step: false });
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/" && !isTyping(event.target)) {
      event.preventDefault();
      text.focus();
      text.select();
    } else if (event.key === "Escape" && !isTyping(event.target)) {
      text.focus();
    } else if (move(event)) {
      text.focus();
    }
  });
  addEventListener("popstate", () => {
    shut();
    state = { ...empty(), ...read(location.search) };
    showAsked();
    void searchAndOpen();
  });
  takePictures((file) => void takePicture(file));
  // On a small screen the documents come first.
  if (matchMedia("(max-width: 800px)").matches) at("filters").open = false;
}

let listening = false;
void begin("search", (found) => {
  catalog = found;
  if (!listening) listen();
  listening = true;
  at("choose").hidden = !catalog.query_fields.some((field) => field.type === "image");
  showAsked();
  void searchAndOpen();
});
