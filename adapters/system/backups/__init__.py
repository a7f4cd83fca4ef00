"""Backups in one file: a tar with the database, the files of apps, and a manifest at the end."""
