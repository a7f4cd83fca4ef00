"""Load an author's file and turn its app into a page."""
