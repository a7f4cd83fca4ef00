"""A board of cards that move, made anew at each change."""

from functools import partial

import gradio as gr

Cards = list[tuple[str, bool]]


def added(text: str, cards: Cards) -> tuple[str, Cards]:
    return "", [*cards, (text, False)]


def moved(number: int, cards: Cards) -> Cards:
    return [(text, is_done != (n == number)) for n, (text, is_done) in enumerate(cards)]


def dropped(number: int, cards: Cards) -> Cards:
    return [card for n, card in enumerate(cards) if n != number]


with gr.Blocks(title="Board") as demo:
    cards = gr.State([("Read", False)])
    new = gr.Textbox(label="New card")
    new.submit(added, [new, cards], [new, cards], api_visibility="private")

    @gr.render(inputs=cards)  # type: ignore[untyped-decorator]
    def columns(shown: Cards) -> None:
        with gr.Row():
            for title, is_done in (("To do", False), ("Done", True)):
                with gr.Column():
                    gr.Markdown(f"## {title}: {sum(done == is_done for _, done in shown)}")
                    for number, (text, done) in enumerate(shown):
                        if done == is_done:
                            with gr.Group(), gr.Row():
                                gr.Textbox(text, show_label=False, container=False)
                                move = gr.Button(f"Move {text}")
                                drop = gr.Button(f"Drop {text}")
                            move.click(partial(moved, number), cards, cards)
                            drop.click(partial(dropped, number), cards, cards)

    total = gr.Number(label="Total")
    gr.Button("Total").click(lambda cards: len(cards), cards, total, api_name="total")

if __name__ == "__main__":
    demo.launch()
