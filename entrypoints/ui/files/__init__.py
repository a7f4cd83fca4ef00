"""Decide who owns a file, which files are private, and which files an input may name."""
