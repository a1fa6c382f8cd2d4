"""Metrics of one service, in Prometheus' text format."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """What is counted. A registry of its own, so that services of one process do not mix.

    Attributes:
        requests: Requests by route and status.
        seconds: Their duration by route.
        stages: Duration of the stages of a batch of searches: `encode`, `index`.
        batch: Searches of a batch.
        cached: Vectors of queries: hit or miss.
        recorded: Records on the disk by kind (`query`, `event`, `grade`, `vote`).
        unrecorded: Records lost because the log could not be written, by kind.
    """

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.requests = Counter("gradus_requests", "Requests.", ("route", "status"), registry=registry)
        self.seconds = Histogram(
            "gradus_request_seconds", "Duration.", ("route",), registry=registry, buckets=_SECONDS
        )
        self.stages = Histogram(
            "gradus_stage_seconds", "Duration, of a batch.", ("stage",), registry=registry, buckets=_SECONDS
        )
        self.batch = Histogram(
            "gradus_batch", "Searches done together.", registry=registry, buckets=(1, 2, 4, 8, 16, 32, 64)
        )
        self.cached = Counter("gradus_cached", "Vectors of queries.", ("outcome",), registry=registry)
        self.recorded = Counter("gradus_recorded", "Records on the disk.", ("kind",), registry=registry)
        self.unrecorded = Counter("gradus_unrecorded", "Records lost.", ("kind",), registry=registry)
        self._version = Gauge("gradus_version", "What is served.", ("version",), registry=registry)
        self._documents = Gauge("gradus_documents", "Documents served.", registry=registry)

    def serves(self, version: str, documents: int) -> None:
        """Say what is served now."""
        self._version.clear()
        self._version.labels(version).set(1)
        self._documents.set(documents)

    def text(self) -> bytes:
        """All of it, as a scraper reads it."""
        return generate_latest(self.registry)
