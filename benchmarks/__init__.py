"""Benchmarks: the cost of the service around a Gradio app, as ratios to a bare mount in the same run."""
