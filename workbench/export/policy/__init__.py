"""A policy as a folder that a site runs, and what decides from it in Python; nothing heavy is imported here."""
