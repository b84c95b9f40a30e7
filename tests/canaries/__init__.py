"""Secrets that never were, put through every entry point, and looked for wherever something is kept or shown."""
