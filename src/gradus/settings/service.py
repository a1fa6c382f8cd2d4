"""The section that says how a search is served."""

from dataclasses import dataclass

from gradus.settings.section import Section, setting


@dataclass(frozen=True)
class ServiceSettings(Section):
    """The HTTP service."""

    host: str = setting("127.0.0.1", "Address to listen on; any but this machine's own needs service.keys.")
    port: int = setting(8080, "Port to listen on; 0 takes a free one.", minimum=0, maximum=65535)
    workers: int = setting(1, "Processes that answer; each uses about a core.", minimum=1, maximum=256)
    keys: str = setting("", "File of keys that `gradus key` writes; empty asks for none.")
    log: str = setting(
        "served", "Folder that gets searches and feedback, for gradus judge; empty keeps none."
    )
    megabytes: float = setting(8.0, "Largest request.", minimum=0.001)
    megapixels: float = setting(24.0, "Largest picture in a request.", minimum=0.001, maximum=64)
    seconds: float = setting(10.0, "Time that a request may take.", minimum=0.01)
    rate: float = setting(
        100.0, "Requests a second of one key, or of one address without keys.", minimum=0.01
    )
    burst: int = setting(200, "Requests that may come at once before the rate holds.", minimum=1)
    batch: int = setting(32, "Most queries that are encoded together.", minimum=1)
    cache: int = setting(10_000, "Vectors of queries that are kept; 0 keeps none.", minimum=0)
    versions: int = setting(
        2, "Versions of model and index that stay in memory: the one in use, and earlier ones.", minimum=1
    )
    drain: float = setting(
        10.0, "Seconds that requests under way get to finish when the service stops.", minimum=0
    )
