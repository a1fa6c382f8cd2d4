"""Click models: cells to the attractiveness of each (query, document) pair, with an interval."""
