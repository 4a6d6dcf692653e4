"""Evaluation: what each policy would have brought about, and how sure that is."""
