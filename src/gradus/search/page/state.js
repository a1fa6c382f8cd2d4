// What is searched for, as the address says it: a link brings back all but an uploaded picture.

/** @typedef {string[] | {low?: number, high?: number}} Condition */
/** @typedef {{text: string, like: string, mix: number, filters: Record<string, Condition>, weigh: Record<string, number>, k: number, open: string, version: string}} State */

export const PAGE = 24;

/** The most documents that the service lists. */
export const MOST = 200;

/** Nothing searched for. @returns {State} */
export const empty = () => ({ text: "", like: "", mix: 50, filters: {}, weigh: {}, k: PAGE, open: "", version: "" });

/**
 * @param {string} search The part of the address from `?` on.
 * @returns {State}
 */
export function read(search) {
  const given = new URLSearchParams(search);
  const state = empty();
  state.text = given.get("q") ?? "";
  state.like = given.get("like") ?? "";
  state.open = given.get("open") ?? "";
  state.version = given.get("version") ?? "";
  state.mix = Math.min(100, Math.max(0, Number(given.get("mix") ?? 50) || 0));
  state.k = Math.min(MOST, Math.max(PAGE, Math.round(Number(given.get("k"))) || PAGE));
  for (const [name, value] of given) {
    if (name.startsWith("w.") && Number(value) > 0) state.weigh[name.slice(2)] = Number(value);
    if (!name.startsWith("f.")) continue;
    const field = name.slice(2);
    const bounds = /^(-?[\d.]*)\.\.(-?[\d.]*)$/.exec(value);
    if (bounds) {
      const [low, high] = bounds.slice(1).map((end) => (end === "" || Number.isNaN(Number(end)) ? undefined : Number(end)));
      state.filters[field] = { low, high };
    } else {
      const values = state.filters[field];
      state.filters[field] = Array.isArray(values) ? [...values, value] : [value];
    }
  }
  return state;
}

/**
 * The address of a state, with what else it says kept.
 * @param {State} state
 */
export function address(state) {
  const said = new URLSearchParams();
  const language = new URLSearchParams(location.search).get("lang");
  if (language) said.set("lang", language);
  if (state.text) said.set("q", state.text);
  if (state.like) said.set("like", state.like);
  if (state.mix !== 50) said.set("mix", String(state.mix));
  for (const [name, condition] of Object.entries(state.filters)) {
    if (Array.isArray(condition)) for (const value of condition) said.append(`f.${name}`, value);
    else said.set(`f.${name}`, `${condition.low ?? ""}..${condition.high ?? ""}`);
  }
  for (const [name, factor] of Object.entries(state.weigh)) said.set(`w.${name}`, String(factor));
  if (state.k !== PAGE) said.set("k", String(state.k));
  if (state.open) said.set("open", state.open);
  if (state.version) said.set("version", state.version);
  const text = said.toString();
  return text ? `?${text}` : location.pathname;
}

/**
 * Factors on the fields of what is asked, of the slider: all words at 0, all picture at 100, as trained at 50.
 * @param {import("./service.js").Field[]} fields
 * @param {number} mix
 * @returns {Record<string, number>}
 */
export function weights(fields, mix) {
  if (mix === 50) return {};
  const encoded = fields.filter((field) => field.weight > 0);
  return Object.fromEntries(encoded.map((field) => [field.name, field.type === "image" ? mix / 50 : 2 - mix / 50]));
}
