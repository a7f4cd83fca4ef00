"""What our house costs around a Gradio app: ratios within one run against a bare mount."""
