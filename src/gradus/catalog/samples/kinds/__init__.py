"""The kinds of part in the sample catalogue, by name."""

from gradus.catalog.samples.kinds.bearings import BEARINGS
from gradus.catalog.samples.kinds.drives import DRIVES
from gradus.catalog.samples.kinds.nuts import NUTS
from gradus.catalog.samples.kinds.pins import PINS
from gradus.catalog.samples.kinds.screws import SCREWS
from gradus.catalog.samples.kinds.structure import STRUCTURE

KINDS = {kind.name: kind for kind in (*SCREWS, *NUTS, *PINS, *BEARINGS, *DRIVES, *STRUCTURE)}

__all__ = ["KINDS"]
