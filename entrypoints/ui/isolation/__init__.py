"""Isolate the callers of an app from each other: nobody can see, control or break another caller's events and files."""
