"""An app like those in public Spaces: a button for signing in, and a greeting. It knows nothing of this service."""

import gradio as gr


def hello(profile: gr.OAuthProfile | None) -> str:
    if profile is None:
        return "I don't know you."
    return f"Hello {profile.name} ({profile.username})"


def secret(word: str, profile: gr.OAuthProfile) -> str:
    return f"{profile['preferred_username']} whispers {word}"


with gr.Blocks() as demo:
    gr.LoginButton()
    greeting = gr.Markdown()
    word = gr.Textbox(label="Word")
    gr.Button("Whisper").click(secret, word, gr.Textbox(label="Whispered"), api_name="secret")
    demo.load(hello, None, greeting, api_name="hello")

if __name__ == "__main__":
    demo.launch()
