"""Two models answer at once, and the better one gets a vote."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

Chat = list[dict[str, Any]]
VOICES = {"Upper": str.upper, "Lower": str.lower}


def asked(text: str, *chats: Chat) -> tuple[str, Chat, Chat]:
    first, second = ([*chat, {"role": "user", "content": text}] for chat in chats)
    return "", first, second


async def answered(*chats: Chat) -> AsyncIterator[tuple[Chat, ...]]:
    said = chats[0][-1]["content"][0]["text"]
    for end in range(1, len(said) + 1):
        await asyncio.sleep(0.01)
        yield tuple(
            [*chat, {"role": "assistant", "content": voice(said[:end])}]
            for chat, voice in zip(chats, VOICES.values(), strict=True)
        )


def voted(votes: dict[str, int], which: str, like: gr.LikeData) -> tuple[dict[str, int], str]:
    votes = {**votes, which: votes.get(which, 0) + (1 if like.liked else -1)}
    return votes, ", ".join(f"{name} {number}" for name, number in votes.items())


def undone(chat: Chat, undo: gr.UndoData) -> Chat:
    assert isinstance(undo.index, int)
    return chat[: undo.index]


with gr.Blocks(title="Arena", fill_height=True) as demo:
    votes = gr.State({})
    with gr.Row():
        chats = [gr.Chatbot(label=name, height=200) for name in VOICES]
    message = gr.Textbox(label="Message", submit_btn=True)
    shown = gr.Textbox(label="Votes")
    message.submit(asked, [message, *chats], [message, *chats], api_name="ask").then(
        answered, chats, chats, api_name="answer"
    )
    for name, chat in zip(VOICES, chats, strict=True):
        chat.like(voted, [votes, gr.State(name)], [votes, shown], api_visibility="private")
        chat.undo(undone, chat, chat, api_visibility="private")
    gr.ClearButton([*chats, shown])

if __name__ == "__main__":
    demo.queue(default_concurrency_limit=4).launch()
