"""Voices get names from takes, speak, and are forgotten."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.panel.conftest import Make
from tests.panel_browser import choose_take, choose_task, draw_region, in_chromium
from unison_engine.client import connect
from unison_engine.testing import LiveHost

pytestmark = in_chromium


def test_a_voice_is_kept_from_a_region_offered_used_and_removed(page: Page, host: LiveHost, make: Make) -> None:
    take = make("somebody speaks", seconds=4.0)
    choose_take(page, take)
    draw_region(page, 0.25, 0.5)
    page.get_by_role("button", name="Keep its voice").click()
    page.keyboard.type("Anna")
    page.get_by_label("Its words").fill("The train is late.")
    page.get_by_role("button", name="Keep the voice").click()
    voice = page.locator("#voices li")
    expect(voice).to_contain_text("Anna")
    expect(voice).to_contain_text("The train is late.")
    with connect(f"tcp://127.0.0.1:{host.port}") as unison:
        ((name, reference, words),) = unison.entries("/unison/voice/list")
    assert (name, words) == ("Anna", "The train is late.")
    part = host.library.get(str(reference))
    assert part.seconds == 1.0 and part.recipe.parent == take.id

    voice.get_by_role("button", name="Speak with Anna").click()
    expect(page.locator("[name=voice]")).to_have_value("Anna")
    page.fill("[name=text]", "It comes at nine.")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#take h2")).to_have_text("It comes at nine.")
    spoken = host.library.search("comes at nine")[-1].recipe
    assert spoken.task == "voice_clone" and spoken.request["transcript"] == "The train is late."

    choose_task(page, "voice_clone")
    page.locator("[name=reference]").focus()
    offered = page.locator("#known-reference option")
    expect(offered.first).to_have_attribute("value", "Anna")
    assert offered.count() > 3  # Takes as well.
    voice.locator(".who").click()
    expect(page.locator("#take .drag")).to_have_text(f"{part.id}.wav")
    voice.get_by_role("button", name="Remove Anna").click()
    expect(voice).to_have_count(0)
    choose_task(page, "text_to_speech")
    expect(page.locator("[name=voice] option")).to_have_text(["Female", "Male"])
    assert host.library.get(part.id)


def test_a_voice_without_words_is_not_kept(page: Page, host: LiveHost, make: Make) -> None:
    choose_take(page, make("a whisper"))
    page.get_by_role("button", name="Keep its voice").click()
    page.keyboard.type("Nobody")
    page.get_by_role("button", name="Keep the voice").click()
    expect(page.locator("[name=voice-words]:invalid")).to_be_visible()
    page.get_by_label("Name of the voice").fill("no/body")
    page.get_by_label("Its words").fill("Nothing.")
    page.get_by_role("button", name="Keep the voice").click()
    expect(page.locator("#voices .wrong")).to_contain_text("no/body")
    expect(page.locator("#voices li")).to_have_count(0)
