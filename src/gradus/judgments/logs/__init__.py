"""A log of what people were shown and did, aggregated to cells."""
