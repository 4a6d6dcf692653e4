"""Prefetch: which next pages to fetch ahead of the click."""
