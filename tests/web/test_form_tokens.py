"""A form token is valid in one browser for some hours, and only in forms."""

import pytest

from domain.errors import SessionEnded, SignedTokenRefused
from tests.builders import a_session, a_user
from tests.web.conftest import Door


def test_a_form_token_is_valid_in_the_browser_that_it_was_made_for(door: Door) -> None:
    token = door.form_tokens.offer("browser")

    door.form_tokens.must_be_ours(token, "browser")

    with pytest.raises(SignedTokenRefused):
        door.form_tokens.must_be_ours(token, "another browser")


@pytest.mark.asvs("V3.5.1")
def test_a_form_token_is_valid_in_its_session_only(door: Door, subtests: pytest.Subtests) -> None:
    ada = a_user()
    here, other = a_session(of=ada), a_session(of=ada)
    tokens = {
        "before sign-in": (door.form_tokens.offer("browser"), None),
        "in this session": (door.form_tokens.offer("browser", here), here),
        "in another session": (door.form_tokens.offer("browser", other), other),
    }

    for name, (token, made_in) in tokens.items():
        for sent_in in (None, here, other):
            with subtests.test(made=name, sent_in=sent_in and sent_in.id):
                if sent_in is made_in:
                    door.form_tokens.must_be_ours(token, "browser", sent_in)
                else:
                    with pytest.raises(SignedTokenRefused):
                        door.form_tokens.must_be_ours(token, "browser", sent_in)


def test_the_bars_token_and_a_forms_token_do_not_replace_each_other(door: Door) -> None:
    session = a_session(of=a_user())
    browser = door.form_tokens.new_browser()

    with pytest.raises(SignedTokenRefused):
        door.form_tokens.must_be_ours(door.form_tokens.offer_in_bar(session), browser, session)
    with pytest.raises(SignedTokenRefused):
        door.form_tokens.must_be_from_bar(door.form_tokens.offer(browser, session), session)


def test_a_form_token_expires_after_twelve_hours(door: Door) -> None:
    token = door.form_tokens.offer("browser")
    door.passes(hours=12, seconds=-1)
    door.form_tokens.must_be_ours(token, "browser")

    door.passes(seconds=1)

    with pytest.raises(SignedTokenRefused):
        door.form_tokens.must_be_ours(token, "browser")


async def test_a_form_token_is_valid_neither_as_session_nor_for_setup(door: Door) -> None:
    token = door.form_tokens.offer("browser")

    with pytest.raises(SessionEnded):
        await door.use_cases.recognise(token, activity=True)
    with pytest.raises(SignedTokenRefused):
        await door.use_cases.check_setup(token)


async def test_other_signed_tokens_are_not_valid_in_forms(door: Door) -> None:
    setup = await door.use_cases.offer_setup()
    ada = await door.has()
    opened = await door.opened()
    assert setup is not None

    for token, subject in ((setup, "first-admin"), (opened.signed_token, str(ada.id))):
        with pytest.raises(SignedTokenRefused):
            door.form_tokens.must_be_ours(token, subject)
