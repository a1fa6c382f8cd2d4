"""The sections that say what a decision about the re-ranker rests on: the margin, the service level and the prices."""

from dataclasses import dataclass

from gradus.settings.section import Numbers, Section, setting


@dataclass(frozen=True)
class DecisionSettings(Section):
    """How much quality may be lost, and how sure a verdict must be."""

    metric: str = setting("nDCG@10", "The metric that decides; more of it is better.")
    margin: float = setting(
        0.01,
        "Share of the two-stage pipeline's mean that may be lost: 0.01 lets 0.800 become 0.792.",
        minimum=0,
        maximum=0.5,
    )
    confidence: float = setting(
        0.95, "How sure each end of an interval must be before it decides.", minimum=0.5, maximum=0.999
    )
    power: float = setting(
        0.8, "Chance of a decision that the number of missing queries aims at.", minimum=0.5, maximum=0.99
    )
    queries: int = setting(
        100,
        "Fewest queries that a verdict may rest on: rare large losses are easily missed in fewer.",
        minimum=2,
    )
    kpi: str = setting("", "File with a row per query: query_id, and columns with numbers of the business.")
    kpi_less: tuple[str, ...] = setting((), "Columns of decision.kpi of which less is better: time to find.")


@dataclass(frozen=True)
class SlaSettings(Section):
    """What the search must hold in service."""

    p95_ms: float = setting(
        0.0, "Milliseconds within which 95 of 100 searches are answered; 0 sets no limit.", minimum=0
    )
    queries_per_second: float = setting(
        10.0, "Searches a second at the busiest time; sizes the fleet.", minimum=0.001
    )
    availability: float = setting(
        0.999,
        "Share of the time in which the fleet must carry that load; asks for a spare instance.",
        minimum=0,
        maximum=0.999999,
    )
    freshness_days: float = setting(
        7.0, "Days after which the model and its index are renewed.", minimum=0.04
    )


@dataclass(frozen=True)
class CostSettings(Section):
    """What one stage and two stages cost."""

    currency: str = setting("USD", "Name of the currency of all prices; nothing is converted.")
    months: float = setting(36.0, "Months over which costs are added up.", minimum=1)
    instance_price: float = setting(
        0.20,
        "Hour of an instance that serves the first stage: 4 vCPU, 16 GB, as the large clouds list it on demand.",
        minimum=0,
    )
    rerank_price: float = setting(
        0.20,
        "Hour of an instance that re-ranks: the same for LambdaMART; about 1.00 with a 24 GB GPU.",
        minimum=0,
    )
    training_price: float = setting(
        1.00, "Hour of an instance that trains and embeds: a 24 GB GPU, on demand.", minimum=0
    )
    utilisation: float = setting(
        0.5, "Share of its measured throughput that an instance is loaded with.", minimum=0.01, maximum=1
    )
    instance_availability: float = setting(
        0.995, "Share of the time that one instance is up.", minimum=0.5, maximum=0.999999
    )
    first_throughput: float = setting(
        100.0, "Queries a second of one instance with the one stage, where not measured.", minimum=0.001
    )
    rerank_throughput: float = setting(
        20.0, "Queries a second of one instance that re-ranks, where not measured.", minimum=0.001
    )
    training_hours: float = setting(
        1.0, "Instance hours of training the first stage, at each refresh, where not measured.", minimum=0
    )
    rerank_training_hours: float = setting(
        0.5, "Instance hours of training the re-ranker, at each refresh, where not measured.", minimum=0
    )
    embedding_hours: float = setting(
        1.0, "Instance hours of embedding all documents, at each refresh, where not measured.", minimum=0
    )
    person_price: float = setting(80.0, "Hour of a person who labels or keeps the search, all in.", minimum=0)
    labelling_hours: float = setting(
        8.0, "Person hours a month of grading results, with one stage or two.", minimum=0
    )
    upkeep_hours: float = setting(16.0, "Person hours a month of keeping the first stage.", minimum=0)
    rerank_upkeep_hours: float = setting(
        12.0, "Person hours a month of keeping the re-ranker and its features.", minimum=0
    )
    switch_hours: float = setting(160.0, "Person hours, once, of changing from two stages to one.", minimum=0)
    fewer_switch_hours: float = setting(
        40.0, "Person hours, once, of changing to a pipeline that re-ranks fewer documents.", minimum=0
    )
    low: Numbers = setting({}, "Setting of this section → its low value, in place of the usual range.")
    high: Numbers = setting({}, "Setting of this section → its high value.")
