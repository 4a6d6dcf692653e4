"""Image delivery: which rendition of the images to send."""
