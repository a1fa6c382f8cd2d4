"""Systems to compare with: what a search is without a trained model."""
