"""Sparse cells of a matrix that is visited tile by tile."""

import torch
from torch import Tensor


class Cells:
    """Cells (i, j) of an (n_q × n_d) matrix, found by the tile that they lie in.

    Tiles are numbered in row-major order.

    Args:
        row: (p,) i of each cell.
        column: (p,) j of each cell.
        shape: (n_q, n_d).
        size: Rows and columns of a tile; at the matrix's edges it may have fewer.

    Attributes:
        order: (p,) the cells sorted by tile.
    """

    def __init__(self, row: Tensor, column: Tensor, shape: tuple[int, int], size: int) -> None:
        tile = row // size * -(-shape[1] // size) + column // size
        width = (shape[1] - column // size * size).clamp(max=size)
        self.order = torch.argsort(tile, stable=True)
        self._within = (row % size * width + column % size)[self.order]
        numbers, counts = torch.unique_consecutive(tile[self.order], return_counts=True)
        ends = counts.cumsum(0)
        places = zip(numbers.tolist(), (ends - counts).tolist(), ends.tolist(), strict=True)
        self._places = {number: slice(start, end) for number, start, end in places}

    def read(self, tile: Tensor, number: int, values: Tensor) -> None:
        """Copy the cells of a contiguous tile to their places in `values`, (p,) sorted by tile."""
        if place := self._places.get(number):
            values[place] = tile.view(-1)[self._within[place]]

    def fill(self, tile: Tensor, number: int, value: float) -> None:
        """Set the cells of a contiguous tile to a number."""
        if place := self._places.get(number):
            tile.view(-1).index_fill_(0, self._within[place], value)

    def add(self, tile: Tensor, number: int, values: Tensor) -> None:
        """Add to the cells of a contiguous tile what stands in their places in `values`, (p,) sorted by tile."""
        if place := self._places.get(number):
            tile.view(-1).index_add_(0, self._within[place], values[place])
