"""What a log's columns most likely hold, by their names in English and Japanese and by their values."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

NAMES: Mapping[str, tuple[str, ...]] = {
    "query": (
        "query", "search_term", "search_query", "query_text", "user_query", "keyword", "keywords", "search_word",
        "term", "q", "検索語", "検索キーワード", "検索クエリ", "検索ワード", "検索文字列", "クエリ", "キーワード",
    ),
    "document": (
        "document", "doc_id", "document_id", "doc", "product_id", "item_id", "object_id", "sku", "asin",
        "article_id", "part_number", "product_code", "product", "item", "商品id", "商品コード", "商品番号", "品番",
        "製品番号", "文書id", "アイテムid", "商品",
    ),
    "documents": (
        "documents", "doc_ids", "results", "result_ids", "shown", "impressions", "items", "products", "hits",
        "表示商品", "検索結果", "商品一覧",
    ),
    "clicks": ("clicks", "clicked", "clicked_ids", "clicked_docs", "clicked_items", "クリック商品", "クリック"),
    "position": (
        "position", "rank", "pos", "ordinal", "slot", "item_list_index", "順位", "表示順位", "表示順", "掲載順位",
        "位置", "ランク",
    ),
    "page": ("page_id", "search_id", "request_id", "query_id", "serp_id", "impression_id", "検索id", "リクエストid"),
    "session": ("session", "session_id", "sid", "visit_id", "セッション", "セッションid"),
    "user": (
        "user", "user_id", "client_id", "visitor_id", "customer_id", "member_id", "cookie_id", "uid", "ユーザー",
        "ユーザーid", "会員id", "会員番号", "顧客id",
    ),
    "time": (
        "time", "timestamp", "event_time", "event_timestamp", "datetime", "created_at", "ts", "date", "日時", "時刻",
        "検索日時", "日付", "タイムスタンプ",
    ),
    "propensity": ("propensity", "display_probability", "傾向スコア", "表示確率"),
    "dwell": ("dwell", "dwell_time", "dwell_seconds", "time_on_page", "滞在時間", "滞在秒数", "閲覧秒数"),
    "click": ("click", "clicked", "is_click", "is_clicked", "clicks", "クリック", "クリック有無", "クリック数"),
    "cart": ("cart", "add_to_cart", "added_to_cart", "carted", "カート", "カート投入", "カート追加"),
    "purchase": (
        "purchase", "purchased", "purchases", "order", "ordered", "bought", "conversion", "購入", "購買", "注文",
        "購入有無",
    ),
}  # fmt: skip
"""Column of a format, or action → what files call it, likeliest first."""

ACTIONS = ("click", "cart", "purchase")

_ISO_TIME = re.compile(r"(\d{4})[-/](\d\d?)[-/](\d\d?)(?:[T ](\d\d?)(:\d\d.*))?")
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_SEPARATORS = "|;,"
_TRUE = frozenset({"1", "1.0", "true", "t", "yes", "y"})
_FALSE = frozenset({"", "0", "0.0", "false", "f", "no", "n"})
_MOST = 0.9
"""A kind is believed when this share of the filled values is of it."""
_DEEPEST = 1000
"""Numbers beyond are no positions."""


@dataclass(frozen=True)
class Guess:
    """A column that was found for a role.

    Attributes:
        column: The file's column.
        why: Empty where its name says it, else what speaks for it.
    """

    column: str
    why: str = ""


def by_name(role: str, columns: Sequence[str]) -> str | None:
    """The column whose name says that it is of a role, in whatever spelling."""
    spelled = {_plain(column): column for column in reversed(columns)}
    return next((spelled[_plain(name)] for name in NAMES[role] if _plain(name) in spelled), None)


def by_values(role: str, columns: Mapping[str, Sequence[Any]]) -> Guess | None:
    """The column whose values alone suggest a role: a time, a position, a document or a query."""
    for name, values in columns.items():
        texts = [text for value in values if (text := as_text(value))]
        if not texts or len(set(texts)) == 1:
            continue
        if role == "time" and share(texts, lambda text: as_time(text) is not None) >= _MOST:
            return Guess(name, "its values look like times")
        if role == "position" and is_position(texts) and not is_flag(values):
            return Guess(name, "its values are small whole numbers")
        spaces = share(texts, lambda text: " " in text or not text.isascii())
        words = share(texts, lambda text: any(map(str.isalpha, text)) and as_time(text) is None)
        repeats = len(set(texts)) < len(texts)
        if role == "query" and words >= _MOST and repeats and spaces > 1 - _MOST:
            return Guess(name, "its values are texts that repeat")
        if role == "document" and repeats and not spaces and not is_flag(values) and not is_position(texts):
            return Guess(name, "its values are words or numbers that repeat")
    return None


def is_flag(values: Sequence[Any]) -> bool:
    """Whether values say yes or no, both of them or one."""
    return all(as_text(value).lower() in _TRUE | _FALSE for value in values)


def is_true(value: Any) -> bool:
    """Whether a value says that an action was taken: yes, or a count above 0."""
    text = as_text(value).lower()
    return text in _TRUE or (_NUMBER.fullmatch(text) is not None and float(text) > 0)


def is_position(texts: Sequence[str]) -> bool:
    """Whether all values are small whole numbers from 0."""
    return bool(texts) and all(text.isdecimal() and int(text) <= _DEEPEST for text in texts)


def is_list(values: Sequence[Any]) -> bool:
    """Whether most values are lists, as such or as texts of JSON or with separators, and some have two items."""
    sizes = [len(as_list(value)) for value in values if as_text(value)]
    return bool(sizes) and max(sizes) > 1 and sum(sizes) >= 1.5 * len(sizes)


def as_list(value: Any) -> list[str]:
    """The items of a list that may be a text: of JSON, or with one of | ; , or else space between them."""
    if isinstance(value, list):
        return [as_text(item) for item in value]
    text = as_text(value)
    if text.startswith("["):
        return [item for part in text.strip("[]").split(",") if (item := part.strip(" \t\"'"))]
    separator = next((each for each in _SEPARATORS if each in text), None)
    return [item for part in text.split(separator) if (item := part.strip())]


def as_text(value: Any) -> str:
    """A cell as text; empty for null."""
    return "" if value is None else str(value).strip()


def as_time(value: Any) -> datetime | None:
    """A time in UTC; `None` where there is none.

    It may be a timestamp, ISO 8601 (also 2026/3/1 8:30), or seconds, milliseconds or microseconds since 1970.
    """
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    text = as_text(value)
    try:
        if parts := _ISO_TIME.fullmatch(text):
            year, month, day, hour, rest = parts.groups()
            text = f"{year}-{month:>02}-{day:>02}" + (f" {hour:>02}{rest}" if hour else "")
            return as_time(datetime.fromisoformat(text))
        if _NUMBER.fullmatch(text) and float(text) >= 1e8:
            number = float(text)
            unit = 1e6 if number >= 1e14 else 1e3 if number >= 1e11 else 1.0
            return datetime.fromtimestamp(number / unit, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def share(texts: Sequence[str], holds: Any) -> float:
    """The share of texts for which something holds."""
    return sum(map(bool, map(holds, texts))) / len(texts)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", name).lower())
