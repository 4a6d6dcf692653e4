"""Decisions: what a page can adapt, each a folder that says for itself what the rest of the house asks."""
