"""The pipelines that answer whether a re-ranker can go, for those who have not declared any."""

from gradus.settings.section import Fields
from gradus.settings.settings import Settings

_HEAD = """\
# The pipelines of gradus bench and gradus poc: what a search may be made of today, and what may take its place. Add the
# one that you run, as a run file; docs/deciding.md has all keys. Models that are not there are trained, each as long as
# [training] of gradus.toml says.
"""

_LEXICAL = """
[first.bm25]
kind = "bm25"
"""

_MODELS = """
# What is usually trained: pairs that are right, all others wrong.
[first.info-nce]
kind = "model"
model = "runs/info-nce"
with = {{ "objective.name" = "info-nce", "objective.weight" = "constant", "encoder.exact_terms" = 0, "encoder.prior" = 0.0{own} }}

# As gradus.toml says.
[first.gcl]
kind = "model"
model = "runs/gcl"
"""

_FUSIONS = """
[first.hybrid-rrf]
kind = "fusion"
of = ["bm25", "info-nce"]

[first.hybrid-weighted]
kind = "fusion"
of = ["bm25", "info-nce"]
method = "weighted"
"""

_DISTILLED = """
# The same, and two stages say what is good for queries that nobody has asked yet.
[first.distilled]
kind = "model"
model = "runs/distilled"
with = { "encoder.query_residual" = 0.1 }
teacher = { first = "info-nce", synthetic = 4000, depth = 60, unjudged = "worthless" }
"""

_PIPELINE = """
[[pipeline]]
name = "{name}"
first = "{first}"
"""

_RERANKED = """\
reranker = "lambdamart"
depth = {depth}
"""


def standard_pipelines(settings: Settings) -> str:
    """The text of a `pipelines.toml`, for the folder of the `gradus.toml`.

    BM25, InfoNCE, both together, LambdaMART over InfoNCE at three depths, the model that `gradus.toml` describes, alone
    and re-ranked, and the same distilled from two stages. Without texts on both sides, what needs words is left out.
    """
    spoken = _encoded(settings.query.fields, "text")
    words = all(
        _encoded(side.fields, "text", "category", "number") for side in (settings.catalog, settings.query)
    )
    own = ""
    if settings.encoder.text == settings.encoder.image == "mini":
        # Lists of single pairs: 1,024 of them cost mini no more than 512 documents with all their queries.
        own += ', "training.batch" = 1024'
    if not settings.training.minutes:
        # A pass over all pairs is about as long as eight over all documents.
        own += f', "training.epochs" = {max(1, round(settings.training.epochs / 8))}'
    parts = [_HEAD, _LEXICAL if words else "", _MODELS.format(own=own), _FUSIONS if words else ""]
    parts.append(_DISTILLED if spoken else "")
    pipelines = [("BM25", "bm25", 0)] if words else []
    pipelines.append(("InfoNCE", "info-nce", 0))
    if words:
        pipelines += [("Hybrid, RRF", "hybrid-rrf", 0), ("Hybrid, weighted", "hybrid-weighted", 0)]
    pipelines += [(f"InfoNCE + LambdaMART@{depth}", "info-nce", depth) for depth in (50, 100, 200)]
    pipelines += [("GCL + LambdaMART@100", "gcl", 100), ("GCL", "gcl", 0)]
    pipelines += [("GCL, distilled", "distilled", 0)] if spoken else []
    for name, first, depth in pipelines:
        parts.append(_PIPELINE.format(name=name, first=first))
        parts.append(_RERANKED.format(depth=depth) if depth else "")
    return "".join(parts)


def _encoded(fields: Fields, *types: str) -> bool:
    """Whether a field of one of the types has a part in the embedding."""
    return any(field.get("type", "text") in types and field.get("weight", 1) for field in fields.values())
