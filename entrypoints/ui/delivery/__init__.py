"""Change what Gradio sends: pages, scripts, streams, and their headers."""
