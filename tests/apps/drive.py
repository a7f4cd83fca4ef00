"""An app like those in public Spaces: it lists what its user has at another service, with the token of the sign-in. It knows
nothing of this service."""

import json
import os
from urllib.request import Request, urlopen

import gradio as gr

API = os.environ.get("DRIVE_API", "https://drive.example.com/files")


def files(oauth_token: gr.OAuthToken | None) -> str:
    if oauth_token is None:
        return "Please sign in."
    request = Request(API, headers={"authorization": f"Bearer {oauth_token.token}"})
    with urlopen(request, timeout=5) as response:
        return f"Files of {json.load(response)['sub']}"


def move(name: str, profile: gr.OAuthProfile, oauth_token: gr.OAuthToken) -> str:
    return f"{profile.name} moves {name} with {oauth_token.token} for {oauth_token.scope}"


with gr.Blocks() as demo:
    gr.LoginButton()
    shown = gr.Markdown()
    name = gr.Textbox(label="Name")
    gr.Button("Move").click(move, name, gr.Textbox(label="Moved"), api_name="move")
    demo.load(files, None, shown, api_name="files")

if __name__ == "__main__":
    demo.launch()
