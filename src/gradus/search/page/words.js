// What the pages say, in English and Japanese; and which of the two is said.

/** @typedef {"en" | "ja"} Language */

/** @type {Record<string, [string, string]>} English, Japanese. */
const WORDS = {
  "skip": ["Skip to the content", "本文へ移動"],
  "nav": ["Pages", "ページ"],
  "nav.search": ["Search", "検索"],
  "nav.compare": ["Compare", "比較"],
  "nav.judge": ["Judge", "評価"],
  "about": ["{count} documents · {name} {version}", "{count} 件の文書 · {name} {version}"],
  "about.unrecorded": ["nothing is recorded", "記録していません"],

  "search.title": ["Search the catalogue", "カタログを検索"],
  "search.label": ["Search the catalogue", "カタログを検索"],
  "search.placeholder": ["Search by words, a number, a picture", "言葉・型番・画像で検索"],
  "picture.choose": ["Picture", "画像"],
  "picture.remove": ["Remove the picture", "画像を外す"],
  "picture.yours": ["The picture you search by", "検索に使う画像"],
  "picture.unreadable": ["This file is not a picture that can be read.", "このファイルは画像として読み込めません。"],
  "picture.unsupported": ["This model finds nothing by picture.", "このモデルは画像では検索できません。"],
  "mix.label": ["Words or picture", "言葉と画像の重み"],
  "mix.words": ["Words", "言葉"],
  "mix.picture": ["Picture", "画像"],
  "drop": ["Drop the picture to search by it", "画像をドロップして検索"],
  "like": ["Like {title}", "「{title}」に似たもの"],
  "like.remove": ["Stop looking for others like it", "類似検索をやめる"],
  "filters": ["Filters", "絞り込み"],
  "filters.clear": ["Clear filters", "条件をすべて解除"],
  "filters.more": ["{count} more", "ほか {count} 件"],
  "filters.fewer": ["Fewer", "折りたたむ"],
  "filters.from": ["{field}, from", "{field}（下限）"],
  "filters.to": ["{field}, to", "{field}（上限）"],
  "weigh": ["What counts", "重視する項目"],
  "weigh.field": ["Weight of {field} in documents", "文書の「{field}」の重み"],
  "weigh.trained": ["As trained", "学習時の重みに戻す"],
  "start": ["A look into the catalogue", "カタログから"],
  "start.examples": ["Try", "検索例"],
  "found": ["{count} documents", "{count} 件"],
  "found.one": ["1 document", "1 件"],
  "found.ms": ["{count} documents in {ms} ms", "{count} 件（{ms} ミリ秒）"],
  "found.none": ["Nothing found", "見つかりませんでした"],
  "none.filters": ["No document meets all of these conditions.", "すべての条件を満たす文書はありません。"],
  "none.words": [
    "Nothing in these words can be read. Try others, or a picture.",
    "読み取れる言葉がありません。別の言葉か画像をお試しください。",
  ],
  "searching": ["Searching …", "検索中…"],
  "more": ["Show more", "もっと見る"],
  "more.like": ["More like this", "似たもの"],
  "why": ["Why this?", "なぜ？"],
  "score": ["Score {score}", "スコア {score}"],
  "no.picture": ["No picture", "画像なし"],
  "keys": [
    "/ to search, arrows to move, Enter to open, Esc to close. Pictures can be dropped or pasted anywhere.",
    "/ で検索欄、矢印キーで移動、Enter で開く、Esc で閉じる。画像はどこにでもドロップ・貼り付けできます。",
  ],
  "copy": ["Copy link", "リンクをコピー"],
  "copied": ["Copied", "コピーしました"],
  "close": ["Close", "閉じる"],
  "previous": ["Previous", "前へ"],
  "next": ["Next", "次へ"],
  "id": ["Id", "ID"],
  "explain": ["Why this score?", "スコアの内訳"],
  "explain.lede": [
    "What each part of the query and of the document adds. The parts add up to the score.",
    "検索と文書の各部分がスコアに加えた値です。合計がスコアになります。",
  ],
  "explain.parts": ["Parts", "部分"],
  "explain.adds": ["Adds", "加算"],
  "explain.sum": ["Score", "スコア"],
  "explain.rest": ["{count} small parts", "その他 {count} 項目"],
  "explain.words": ["Words", "言葉"],
  "explain.picture": ["Picture", "画像"],
  "explain.evidence": ["What people chose", "利用者の選択"],
  "explain.prior": ["How well it does for any query", "検索によらない強さ"],
  "explain.exact": ["Exact words and numbers", "一致した語・数値"],
  "explain.common": ["Words in common (BM25)", "共通する語(BM25)"],
  "explain.nothing": ["No part of it speaks to the query.", "検索に関わる部分はありません。"],

  "key.title": ["This service asks for a key", "このサービスにはキーが必要です"],
  "key.lede": [
    "It stays in this tab and is forgotten when you close it.",
    "キーはこのタブにだけ保存され、閉じると消えます。",
  ],
  "key.wrong": ["This key is not known here.", "このキーは登録されていません。"],
  "key.label": ["Key", "キー"],
  "key.use": ["Use this key", "このキーを使う"],

  "error": ["That did not work", "うまくいきませんでした"],
  "error.retry": ["Try again", "もう一度"],
  "error.offline": ["The service does not answer.", "サービスが応答しません。"],
  "error.rate-limit": ["Too many requests; wait a moment.", "リクエストが多すぎます。少しお待ちください。"],
  "error.wrong-scope": ["Your key is not good for this.", "お使いのキーではこの操作はできません。"],
  "error.overloaded": ["The service is busy; try again.", "サービスが混み合っています。もう一度お試しください。"],
  "error.time-limit": ["This took too long; try again.", "時間がかかりすぎました。もう一度お試しください。"],
  "error.too-large": ["The picture is too large.", "画像が大きすぎます。"],
  "error.unreadable-picture": ["The picture cannot be read.", "画像を読み込めません。"],
  "error.no-log": ["This service records nothing.", "このサービスは記録をとっていません。"],
  "error.disk-full": ["The disk is full; nothing was recorded.", "ディスクがいっぱいで、記録できませんでした。"],
  "error.not-recorded": ["It could not be recorded; try again.", "記録できませんでした。もう一度お試しください。"],
  "error.no-document": ["There is no such document any more.", "この文書はもうありません。"],

  "rater": ["Your name", "お名前"],
  "rater.missing": ["Say who you are first: votes and grades carry your name.", "先にお名前を入力してください。投票と評価に記録されます。"],

  "compare.title": ["Which list is better?", "どちらの結果がよいですか？"],
  "compare.lede": [
    "Two models answer the same query. Which is which is told when you have voted.",
    "同じ検索に二つのモデルが答えます。どちらがどのモデルかは、投票の後に表示されます。",
  ],
  "compare.query": ["Query", "検索語"],
  "compare.placeholder": ["A query for both", "両方に検索する言葉"],
  "compare.next": ["Another query", "別の検索例"],
  "compare.pair": ["Models", "モデル"],
  "compare.open": ["Show the names, without a vote", "投票せずに名前を表示"],
  "compare.vote": ["Your vote", "投票"],
  "compare.left": ["A is better", "A がよい"],
  "compare.tie": ["About the same", "同じくらい"],
  "compare.right": ["B is better", "B がよい"],
  "compare.shared": ["{count} of {of} documents are in both lists.", "{of} 件中 {count} 件が両方に含まれます。"],
  "compare.same": ["Both lists are the same.", "両方の結果は同じです。"],
  "compare.voted": ["You chose {name}.", "{name} に投票しました。"],
  "compare.tied": ["You saw no difference.", "「同じくらい」と投票しました。"],
  "compare.tally": ["Your votes in this tab:", "このタブでの投票："],
  "compare.ties": ["the same", "同じくらい"],
  "compare.here": ["only here", "こちらのみ"],
  "compare.new": ["new", "新規"],
  "compare.gone": ["gone", "消えた"],
  "compare.up": ["{count} places up", "{count} つ上へ"],
  "compare.down": ["{count} places down", "{count} つ下へ"],
  "compare.stays": ["same place", "変わらず"],
  "compare.one": [
    "This service has one model in memory. To compare it with another:",
    "このサービスにはモデルが一つしかありません。比較するには：",
  ],
  "compare.begin": ["Type a query, or take one that waits.", "検索語を入力するか、例を選んでください。"],

  "judge.title": ["How well do they answer?", "検索にどれだけ合っていますか？"],
  "judge.views": ["View", "表示"],
  "judge.rate": ["Rate", "評価する"],
  "judge.disputes": ["Disagreements", "意見の相違"],
  "judge.queries": ["Queries", "検索語"],
  "judge.own": ["A query of your own", "検索語を自分で入力"],
  "judge.next": ["Next query", "次の検索語"],
  "judge.grade": ["Grade", "評価"],
  "judge.progress": ["{done} of {of} queries begun", "{of} 件中 {done} 件に着手"],
  "judge.mine": ["{count} graded", "{count} 件評価済み"],
  "judge.here": ["{done} of {of} graded", "{of} 件中 {done} 件評価済み"],
  "judge.legend": ["Keys {keys} grade the chosen document and go on; arrows move; N takes the next query.", "{keys} キーで評価して次へ、矢印キーで移動、N で次の検索語。"],
  "judge.begin": ["Say who you are, and choose a query.", "お名前を入力し、検索語を選んでください。"],
  "judge.level.0": ["wrong", "不適合"],
  "judge.level.1": ["related", "関連あり"],
  "judge.level.2": ["good", "適合"],
  "judge.level.3": ["just right", "完全に適合"],
  "judge.no.disputes": ["No two raters differ.", "評価の相違はありません。"],
  "judge.agree": [
    "{count} of {of} documents with two raters or more are graded differently.",
    "二人以上が評価した {of} 件のうち、{count} 件で評価が分かれています。",
  ],
};

/** @returns {Language} */
function chosen() {
  const asked = new URLSearchParams(location.search).get("lang") ?? localStorage.getItem("gradus.lang");
  return (asked ?? navigator.language).toLowerCase().startsWith("ja") ? "ja" : "en";
}

/** @type {Language} */
export let language = chosen();

/**
 * A text, with its blanks filled.
 * @param {string} name
 * @param {Record<string, string | number>} [values]
 */
export function t(name, values = {}) {
  const text = WORDS[name]?.[language === "ja" ? 1 : 0];
  if (text === undefined) throw new Error(`no text ${name}`);
  return text.replace(/\{(\w+)\}/g, (_, blank) => String(values[blank]));
}

/** Whether there is such a text. @param {string} name */
export const known = (name) => name in WORDS;

/** A number as the language writes it. @param {number} value */
export const number = (value) => new Intl.NumberFormat(language, { maximumSignificantDigits: 10 }).format(value);

/** A number of a document: four digits stay together, since many are a year or a code. @param {number} value */
export const quantity = (value) => new Intl.NumberFormat(language, { maximumSignificantDigits: 10, useGrouping: "min2" }).format(value);

/** Put the language's words into the document. */
function translate() {
  document.documentElement.lang = language;
  for (const [attribute, target] of [["t", ""], ["tLabel", "aria-label"], ["tPlaceholder", "placeholder"]]) {
    const selector = `[data-${attribute.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}]`;
    for (const element of document.querySelectorAll(selector)) {
      const text = t(/** @type {HTMLElement} */ (element).dataset[attribute] ?? "");
      if (target) element.setAttribute(target, text);
      else element.textContent = text;
    }
  }
}

/**
 * Say everything in the language of choice, and change it with the button in the head.
 * @param {() => void} changed Called when all that was made by script has to be made anew.
 */
export function speak(changed) {
  const button = /** @type {HTMLButtonElement} */ (document.getElementById("language"));
  const show = () => {
    translate();
    button.textContent = language === "ja" ? "English" : "日本語";
    button.lang = language === "ja" ? "en" : "ja";
  };
  button.addEventListener("click", () => {
    language = language === "ja" ? "en" : "ja";
    localStorage.setItem("gradus.lang", language);
    const url = new URL(location.href);
    if (url.searchParams.has("lang")) {
      url.searchParams.set("lang", language);
      history.replaceState(history.state, "", url);
    }
    show();
    changed();
  });
  show();
}
