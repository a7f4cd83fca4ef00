"""A form whose fields depend on one another, as a class of its own."""

import gradio as gr

CITIES = {"France": ["Paris", "Lyon"], "Japan": ["Tokyo", "Kyoto", "Osaka"]}


class Trip(gr.Blocks):
    def __init__(self) -> None:
        super().__init__(title="Trip")
        with self:
            self.country = gr.Dropdown(list(CITIES), label="Country", value="France")
            self.city = gr.Radio(CITIES["France"], label="City")
            self.extras = gr.CheckboxGroup(["Train", "Hotel"], label="Extras")
            self.stars = gr.Slider(1, 5, value=3, step=1, label="Stars", visible=False)
            self.day = gr.DateTime(include_time=False, type="string", label="Day")
            self.ink = gr.ColorPicker("#ff0000", label="Ink")
            self.plan = gr.Textbox(label="Plan")
            self.country.change(self.cities, self.country, self.city, api_name="cities")
            self.extras.change(self.hotel, self.extras, self.stars, api_name="hotel")
            gr.Button("Plan").click(
                self.planned,
                {self.country, self.city, self.extras, self.stars, self.day, self.ink},
                self.plan,
                api_visibility="private",
            )

    def cities(self, country: str) -> gr.Radio:
        return gr.Radio(CITIES[country], value=None)

    def hotel(self, extras: list[str]) -> dict[str, object]:
        return gr.update(visible="Hotel" in extras)

    def planned(self, given: dict[gr.components.Component, object]) -> str:
        if not given[self.city]:
            raise gr.Error("Choose a city first.")
        extras = "+".join(given[self.extras])  # type: ignore[arg-type]
        return f"{given[self.city]}, {given[self.country]}: {extras} {given[self.stars]} {given[self.ink]}"


Trip().launch()
