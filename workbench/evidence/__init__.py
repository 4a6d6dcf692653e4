"""Evidence: arrays in, intervals and words out."""
