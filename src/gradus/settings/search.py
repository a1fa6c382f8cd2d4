"""The sections that describe a search: its data, its encoder, its training and what is measured."""

from dataclasses import dataclass

from gradus.settings.section import Fields, Section, setting


@dataclass(frozen=True)
class CatalogSettings(Section):
    """The documents."""

    path: str = setting("catalog.csv", "CSV, TSV, JSONL or Parquet file, or a folder with a metadata file.")
    id: str = setting("doc_id", "Column with each document's id.")
    images: str = setting("", "Folder that image paths are relative to; the catalogue's own when empty.")
    fields: Fields = setting({}, "One table per field: type (text, image, category, number) and weight.")


@dataclass(frozen=True)
class QuerySettings(Section):
    """The queries."""

    path: str = setting("", "File with the queries' fields; empty when the judgments file holds them.")
    id: str = setting("query_id", "Column with each query's id.")
    fields: Fields = setting({"query": {"type": "text"}}, "One table per field of a query, as for documents.")


@dataclass(frozen=True)
class JudgmentsSettings(Section):
    """The evidence, already judged."""

    path: str = setting(
        "judgments.csv", "Judgments file (CSV, Parquet), TREC qrels (.qrels, .txt), or a Marqo-GS folder."
    )
    format: str = setting(
        "auto", "How the file is read; auto goes by its name.", choices=("auto", "table", "qrels", "marqo-gs")
    )
    query_id: str = setting("query_id", "Column with the query's id; without it, a query's text is its id.")
    doc_id: str = setting("doc_id", "Column with the document's id.")
    score: str = setting("score", "Column with the score.")
    scale: float = setting(1.0, "The score that counts as 1: 3 for grades 0 to 3.", minimum=1e-9)


@dataclass(frozen=True)
class SplitSettings(Section):
    """Which queries and documents training may see."""

    novel_queries: float = setting(0.2, "Share of the queries kept from training.", minimum=0, maximum=0.9)
    novel_documents: float = setting(
        0.5, "Share of the documents kept from training.", minimum=0, maximum=0.9
    )
    validation: float = setting(
        0.05,
        "Share of the training queries and documents held out for early stopping.",
        minimum=0,
        maximum=0.5,
    )
    query_group: str = setting("", "Query column whose values never straddle parts (a user, a topic).")
    document_group: str = setting("", "Document column whose values never straddle parts (a family).")
    seed: int = setting(0, "Seed of the split.", minimum=0)


@dataclass(frozen=True)
class EncoderSettings(Section):
    """The towers that turn fields into vectors."""

    text: str = setting(
        "mini", "Text tower: mini, or the name or folder of a Hugging Face or sentence-transformers model."
    )
    image: str = setting("mini", "Image tower: mini, or the name or folder of a Hugging Face model.")
    dimensions: int = setting(0, "Length D of an embedding; 0 takes the towers' own.", minimum=0)
    pixels: int = setting(64, "Side of the square that mini's images are resized to.", minimum=32)
    vocabulary: int = setting(30000, "Most subwords in mini's vocabulary.", minimum=256)
    learn_field_weights: bool = setting(True, "Learn the field weights, starting from the given ones.")
    residual: float = setting(
        0.01,
        "Shrinkage λ of the vectors that documents with evidence get beside their content; 0 for no such vectors.",
        minimum=0,
    )
    separate: bool = setting(False, "Give queries and documents towers of their own.")
    freeze: bool = setting(False, "Train only projections and field weights, not pretrained towers.")
    layer_decay: float = setting(
        1.0, "Learning-rate factor per layer below the top of a pretrained tower.", minimum=0.01, maximum=1
    )
    lora_rank: int = setting(0, "Rank of LoRA adapters in pretrained towers; 0 trains them whole.", minimum=0)


@dataclass(frozen=True)
class ObjectiveSettings(Section):
    """The loss."""

    name: str = setting("many-to-many", "The objective.", choices=("info-nce", "pairwise", "many-to-many"))
    weight: str = setting("linear", "Score-to-weight function, as `gradus weights` lists them.")
    confidence: bool = setting(False, "Multiply each weight by the confidence of its interval.")
    denominator: str = setting(
        "lower",
        "What a positive competes with in many-to-many: all, unjudged, or documents of lower weight.",
        choices=("all", "unjudged", "lower"),
    )
    temperature: float = setting(0.07, "Where the learned temperature τ starts.", minimum=0.001, maximum=10)
    field_terms: float = setting(0.0, "λ of the per-field terms: L = L_merged + λ Σ_f L_f.", minimum=0)


@dataclass(frozen=True)
class TrainingSettings(Section):
    """The loop."""

    minutes: float = setting(0.0, "Stop after this much training time; 0 goes by epochs.", minimum=0)
    epochs: int = setting(40, "Passes over the training documents (pairs, for pairwise).", minimum=1)
    batch: int = setting(512, "Documents in a many-to-many batch; pairs in a pairwise one.", minimum=2)
    learning_rate: float = setting(0.003, "Peak learning rate of AdamW.", minimum=0)
    pretrained_learning_rate: float = setting(
        2e-5, "Peak learning rate of pretrained towers, at their top layer.", minimum=0
    )
    weight_decay: float = setting(0.01, "Weight decay of AdamW.", minimum=0)
    warmup: float = setting(
        0.05, "Share of the training that warms the learning rate up.", minimum=0, maximum=1
    )
    clip: float = setting(1.0, "Largest norm of the gradient.", minimum=0)
    ema: float = setting(
        0.0, "Decay of the averaged weights that are kept; 0 keeps the last.", minimum=0, maximum=1
    )
    augment: bool = setting(True, "Augment images and drop words while training.")
    patience: int = setting(
        10, "Validations without a better nDCG@10 before stopping; 0 never stops.", minimum=0
    )
    checkpoint_minutes: float = setting(1.0, "Time between checkpoints.", minimum=0)
    seed: int = setting(0, "Seed of initial weights, batches and augmentation.", minimum=0)
    device: str = setting("auto", "cpu, cuda, mps or auto.")
    precision: str = setting(
        "auto",
        "What towers compute in; auto takes bfloat16 where it is fast.",
        choices=("auto", "float32", "bfloat16"),
    )
    tensorboard: bool = setting(False, "Also write the metrics for TensorBoard.")


@dataclass(frozen=True)
class EvaluationSettings(Section):
    """What is measured."""

    metrics: tuple[str, ...] = setting(
        ("nDCG@10", "ERR(max=4)@10", "RBP(p=0.9)", "R@10", "Judged@10"), "Metrics, the first one leading."
    )
    depth: int = setting(100, "How many documents a run holds per query.", minimum=1)
