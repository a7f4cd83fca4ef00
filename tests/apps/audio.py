"""Sound, as numbers."""

import gradio as gr
import numpy as np

Sound = tuple[int, "np.ndarray[tuple[int], np.dtype[np.int16]]"]


def reverse(sound: Sound) -> Sound:
    rate, samples = sound
    return rate, samples[::-1]


def main() -> None:
    gr.Interface(
        reverse, gr.Audio(label="Sound"), gr.Audio(label="Reversed"), api_name="reverse"
    ).launch(share=True)


if __name__ == "__main__":
    main()
