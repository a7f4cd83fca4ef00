"""Decide which event runs next, and in which thread."""
