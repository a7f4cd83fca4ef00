"""Who is calling, and what of theirs a callback keeps."""
