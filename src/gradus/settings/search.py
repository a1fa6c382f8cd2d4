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
    distilled: str = setting(
        "",
        "What gradus distil wrote: pairs nobody judged, which training takes as well and nothing else does.",
    )


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
    query_residual: float = setting(
        0.0,
        "The same for queries that training knows, recognised by their text; 0 for no such vectors.",
        minimum=0,
    )
    prior: float = setting(
        0.0,
        "Shrinkage λ of the document prior, how good a document is whatever is asked: one number before the "
        "embedding, learned for each value of category and number fields and each document with evidence; 0 for none.",
        minimum=0,
    )
    exact_terms: int = setting(
        0,
        "Dimensions beside the embedding's own for the exact words, numbers and codes of texts; "
        "0 for none. Their share is chosen on the validation cells.",
        minimum=0,
    )
    separate: bool = setting(False, "Give queries and documents towers of their own.")
    freeze: bool = setting(False, "Train only projections and field weights, not pretrained towers.")
    layer_decay: float = setting(
        1.0, "Learning-rate factor per layer below the top of a pretrained tower.", minimum=0.01, maximum=1
    )
    lora_rank: int = setting(0, "Rank of LoRA adapters in pretrained towers; 0 trains them whole.", minimum=0)


OBJECTIVES = (
    *("many-to-many", "pairwise", "info-nce", "per-positive", "listwise", "rince", "lambda-loss"),
    *("cosent", "bixse", "sigmoid"),
)
"""The names of the objectives; `gradus.objectives.registry`, which imports PyTorch, says what they are."""


@dataclass(frozen=True)
class ObjectiveSettings(Section):
    """The loss."""

    # Every objective takes the settings up to `modality_terms`. The others belong to some; where an objective
    # does not take one, `gradus.training.task.kind_of` refuses any value but the default.
    name: str = setting("many-to-many", "The objective.", choices=OBJECTIVES)
    weight: str = setting("linear", "Score-to-weight function, as `gradus weights` lists them.")
    temperature: float = setting(
        0.0, "Where the learned temperature τ starts; 0 takes the objective's own.", minimum=0, maximum=10
    )
    masked: str = setting(
        "copies",
        "What is no negative: judged pairs and copies of them by content (copies), judged pairs alone, or, "
        "where batches are sampled pairs, nothing.",
        choices=("copies", "judged", "nothing"),
    )
    matryoshka: tuple[str, ...] = setting(
        (),
        "Shorter lengths that embeddings are to serve when cut to, each with a weight if not 1: 32, 64=0.5.",
    )
    field_terms: float = setting(0.0, "λ of the per-field terms: L = L_merged + λ Σ_f L_f.", minimum=0)
    modality_terms: float = setting(
        0.0, "λ of the loss among merged, text-only and image-only embeddings.", minimum=0
    )
    confidence: bool = setting(
        False, "Multiply each weight by the confidence of its interval. Not for info-nce."
    )
    directions: str = setting(
        "both",
        "Whether both sides ask, or only queries. Not for cosent, bixse and sigmoid.",
        choices=("both", "query"),
    )
    per_query: bool = setting(
        False,
        "Let every query count the same, however much is judged. Only for many-to-many and per-positive.",
    )
    denominator: str = setting(
        "lower",
        "What a positive competes with in many-to-many: all, unjudged, or documents of lower weight.",
        choices=("all", "unjudged", "lower"),
    )
    target_temperature: float = setting(
        0.1, "Temperature of the weights in listwise: lower asks for wider gaps.", minimum=0.001
    )
    info_nce_term: float = setting(
        0.3, "λ of listwise's InfoNCE term, which holds judged documents above unjudged ones.", minimum=0
    )
    ranks: int = setting(4, "Ranks that rince cuts weights into.", minimum=1, maximum=100)
    rank_temperatures: float = setting(
        2.0, "Temperature of rince's last rank over that of its first.", minimum=1
    )
    rank_sums: str = setting(
        "in",
        "Whether rince asks for any positive of a rank (in), all (out), or all of the first and any of the others.",
        choices=("in", "out", "out-in"),
    )
    bias: float = setting(-3.0, "Where the learned bias of bixse and sigmoid starts.")


@dataclass(frozen=True)
class TrainingSettings(Section):
    """The loop."""

    minutes: float = setting(0.0, "Stop after this much training time; 0 goes by epochs.", minimum=0)
    epochs: int = setting(
        40, "Passes over the training documents (pairs, for pairwise and info-nce).", minimum=1
    )
    start: str = setting("", "A model's folder to go on from; from scratch when empty.")
    refresh: str = setting(
        "all",
        "What of that model is trained: all of it, or queries alone, so that no document is embedded anew.",
        choices=("all", "queries"),
    )
    batch: int = setting(512, "Documents in a batch; pairs, for pairwise and info-nce.", minimum=2)
    chunk: int = setting(
        0,
        "Rows of a side that the towers encode at a time: a batch of any size in the memory of one chunk, "
        "for a second forward pass; 0 for all at once.",
        minimum=0,
    )
    hard_negatives: int = setting(
        0,
        "Documents that join each batch because the current model ranks them high for its queries and nobody "
        "judged them so; 0 for none. Not for pairwise and info-nce.",
        minimum=0,
    )
    hard_negative_margin: float = setting(
        0.05,
        "How far below a query's best judged document, in similarity, a document that nobody judged for it must "
        "lie to join: one above may be good.",
        minimum=-2,
        maximum=2,
    )
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
    augment: bool = setting(True, "Augment images, and drop words and fields, while training.")
    whole_queries: bool = setting(
        False,
        "Drop no words of queries: for queries whose every word is a condition (brand, colour, size) that a document "
        "meets or does not.",
    )
    field_dropout: float = setting(
        0.0,
        "Share of documents' texts and pictures left out of a step, so that none is learned by heart: for documents "
        "whose categories and numbers say much of the same.",
        minimum=0,
        maximum=0.9,
    )
    patience: int = setting(
        0,
        "Validations without a better nDCG@10 before stopping; 0 never stops, since much is learned at the end, when "
        "the learning rate falls.",
        minimum=0,
    )
    checkpoint_minutes: float = setting(1.0, "Time between checkpoints.", minimum=0)
    seed: int = setting(0, "Seed of initial weights, batches and augmentation.", minimum=0)
    device: str = setting("auto", "cpu, cuda, mps or auto.")
    precision: str = setting(
        "auto",
        "What towers compute in; auto takes bfloat16 where it is fast.",
        choices=("auto", "float32", "bfloat16", "float16"),
    )
    gradient_checkpointing: bool = setting(
        False,
        "Keep little of what pretrained towers compute for the backward pass; compute it again instead.",
    )
    tensorboard: bool = setting(False, "Also write the metrics for TensorBoard.")


@dataclass(frozen=True)
class EvaluationSettings(Section):
    """What is measured."""

    metrics: tuple[str, ...] = setting(
        ("nDCG@10", "ERR(max=4)@10", "RBP(p=0.9)", "R@10", "Judged@10"), "Metrics, the first one leading."
    )
    depth: int = setting(100, "How many documents a run holds per query.", minimum=1)


@dataclass(frozen=True)
class IndexSettings(Section):
    """Where documents' vectors are searched."""

    backend: str = setting(
        "exact",
        "exact computes every score; ivf the promising ones, for 50,000 documents and more; the others are servers.",
        choices=("exact", "ivf", "qdrant", "pgvector", "milvus"),
    )
    path: str = setting("index", "Folder of the index's versions.")
    url: str = setting("", "Address of the server: http://host:6333, postgresql://user@host/database.")
    prefix: str = setting("gradus", "What the names of collections or tables on a server begin with.")
    hybrid: float = setting(
        0.0,
        "Share of BM25 over the documents' texts in the score of a query with words; 0 for vectors alone. "
        "With exact and ivf.",
        minimum=0,
        maximum=0.99,
    )
    per_field: bool = setting(
        False,
        "Also keep the vector of each field, so that a search can weigh documents' fields. With exact.",
    )
    embed: str = setting(
        "here",
        "Where documents are embedded: in this process, or on Spark's executors.",
        choices=("here", "spark"),
    )
    spark: str = setting("local[*]", "Spark's master, for embed = spark: spark://host:7077, yarn, local[4].")
    device: str = setting("auto", "What embeds them in this process: cpu, cuda, mps or auto.")
    precision: str = setting(
        "float32",
        "What towers compute in when documents are embedded; bfloat16 is nearly twice as fast where the device "
        "multiplies it, and auto takes it there.",
        choices=("float32", "bfloat16", "auto"),
    )
    keep: int = setting(3, "Versions that stay: the live one, and those to go back to.", minimum=1)
