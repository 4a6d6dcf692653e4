"""From frames to numbers and counts; nothing here knows the future or the view's own measurement."""
