// The service: requests, errors, and the key where it asks for one.

import { dialog, h } from "./dom.js";
import { known, t } from "./words.js";

/** @typedef {Record<string, string | number>} Fields */
/** @typedef {{doc_id: string, position: number, score: number, fields: Fields}} Hit */
/** @typedef {{query_id: string, version: string, hits: Hit[], facets: Record<string, Record<string, number>>}} Found */
/** @typedef {{name: string, type: "text" | "image" | "category" | "number", weight: number, low?: number, high?: number, values?: number}} Field */
/** @typedef {{version: string, name: string}} Version */
/** @typedef {{documents: number, versions: Version[], query_fields: Field[], fields: Field[], document_weights: string[], sample: {doc_id: string, fields: Fields}[], examples: string[], scale: (number | string)[], recording: boolean}} Catalog */
/** @typedef {{kind: "field" | "evidence" | "prior" | "exact terms" | "BM25", field: string | null}} Part */
/** @typedef {{doc_id: string, score: number, contributions: {query: Part, document: Part, score: number}[], marked: Record<string, [string, boolean][]>}} Explanation */

const KEY = "gradus.key";

/** An answer that is an error, or none. */
export class Problem extends Error {
  /**
   * @param {number} status 0 where no answer came.
   * @param {string} kind `rate-limit`, `disk-full` …
   * @param {string} detail
   */
  constructor(status, kind, detail) {
    super(known(`error.${kind}`) ? t(`error.${kind}`) : detail);
    this.status = status;
    this.kind = kind;
  }
}

/** This visit, as the log knows it: made up, and forgotten with the tab. */
export const session = (() => {
  const kept = sessionStorage.getItem("gradus.session") ?? `p-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;
  sessionStorage.setItem("gradus.session", kept);
  return kept;
})();

/**
 * What the service answers.
 * @param {string} path
 * @param {{json?: unknown, picture?: Blob | null, signal?: AbortSignal, keepalive?: boolean}} [asked]
 * @returns {Promise<any>}
 */
export async function ask(path, asked = {}) {
  return (await fetched(path, asked)).json();
}

/**
 * @param {string} path
 * @param {{json?: unknown, picture?: Blob | null, signal?: AbortSignal, keepalive?: boolean}} asked
 * @returns {Promise<Response>}
 */
async function fetched(path, asked) {
  for (;;) {
    const key = sessionStorage.getItem(KEY);
    /** @type {Record<string, string>} */
    const headers = key ? { authorization: `Bearer ${key}` } : {};
    /** @type {BodyInit | undefined} */
    let body;
    if (asked.picture) {
      const form = new FormData();
      form.set("image", asked.picture, "picture");
      form.set("request", JSON.stringify(asked.json));
      body = form;
    } else if (asked.json !== undefined) {
      body = JSON.stringify(asked.json);
      headers["content-type"] = "application/json";
    }
    let answer;
    try {
      answer = await fetch(path, { method: body ? "POST" : "GET", headers, body, signal: asked.signal, keepalive: asked.keepalive });
    } catch (error) {
      if (asked.signal?.aborted) throw error;
      throw new Problem(0, "offline", String(error));
    }
    if (answer.ok) return answer;
    if (answer.status === 401) {
      // Another request may have been given a key meanwhile.
      if (sessionStorage.getItem(KEY) === key) await askForKey(key !== null);
      continue;
    }
    const problem = await answer.json().catch(() => ({ type: "unknown", detail: answer.statusText }));
    throw new Problem(answer.status, problem.type.split(":").pop(), problem.detail);
  }
}

/** @type {Promise<string> | null} */
let asking = null;

/**
 * Have the person type a key; all requests that lack one wait for the same.
 * @param {boolean} wrong Whether there was one, which the service does not know.
 */
function askForKey(wrong) {
  asking ??= new Promise((resolve, reject) => {
    const input = h("input", { type: "password", id: "key", autocomplete: "off", required: true });
    const made = dialog(
      ".small",
      h("form", {
        method: "dialog",
        onsubmit: () => {
          const key = /** @type {HTMLInputElement} */ (input).value.trim();
          sessionStorage.setItem(KEY, key);
          resolve(key);
        },
      },
        h("h2", { id: "key-title" }, t("key.title")),
        wrong && h("p.wrong", { role: "alert" }, t("key.wrong")),
        h("p.note", {}, t("key.lede")),
        h("label", { for: "key" }, t("key.label")), input,
        h("button.primary", {}, t("key.use")),
      ),
    );
    made.setAttribute("aria-labelledby", "key-title");
    made.addEventListener("close", () => reject(new Problem(401, "no-key", t("key.title"))));
  }).finally(() => {
    asking = null;
  });
  return asking;
}

/**
 * Show a document's picture, or a word where there is none.
 * @param {HTMLImageElement} image
 * @param {string | number | undefined} address What the service calls it.
 * @param {number} side In pixels.
 */
export async function showPicture(image, address, side) {
  const missing = () => image.replaceWith(h("span.nopicture", {}, t("no.picture")));
  if (!address) {
    missing();
    return;
  }
  const url = `${address}&side=${side}`;
  if (!sessionStorage.getItem(KEY)) {
    image.src = url;
    // One more try, since many pictures at once may have been too many.
    image.onerror = () => {
      image.onerror = missing;
      setTimeout(() => (image.src = `${url}&`), 1500);
    };
    return;
  }
  try {
    const picture = await (await fetched(url, {})).blob();
    image.onload = () => URL.revokeObjectURL(image.src);
    image.src = URL.createObjectURL(picture);
  } catch {
    missing();
  }
}

/**
 * The catalogue, and a line about it in the foot of the page.
 * @returns {Promise<Catalog>}
 */
export async function readCatalog() {
  return ask("/catalog");
}
