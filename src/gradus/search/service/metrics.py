"""Metrics of one service, in Prometheus' text format."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.registry import Collector

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

    def families(self) -> list[Metric]:
        """All of it, for another worker to join with its own."""
        return list(self.registry.collect())


class _Joined(Collector):
    """Families as they are."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """The families."""
        return self._families


def joined(workers: Mapping[int, Iterable[Metric]]) -> bytes:
    """The families of all workers by their slots, as a scraper reads them: each sample labelled with its worker."""
    families: dict[str, Metric] = {}
    for slot in sorted(workers):
        for family in workers[slot]:
            empty = Metric(family.name, family.documentation, family.type, family.unit)
            families.setdefault(family.name, empty).samples += [
                sample._replace(labels={**sample.labels, "worker": str(slot)}) for sample in family.samples
            ]
    return generate_latest(_Joined(families.values()))
