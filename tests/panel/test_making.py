"""From words to a sound, in a real browser at a running host."""

from __future__ import annotations

import os
import signal

from playwright.sync_api import Page, expect

from tests.panel.conftest import Make
from tests.panel_browser import choose_take, choose_task, in_chromium, share_of_ink, shown_level, until
from unison_engine.client import connect
from unison_engine.host.delivery import EXPORTS
from unison_engine.testing import LiveHost, OscClient

pytestmark = in_chromium


def test_a_prompt_becomes_a_sound_that_is_seen_and_heard(page: Page, host: LiveHost) -> None:
    page.keyboard.press("n")
    page.keyboard.type("heavy rain on a tin roof")
    page.fill("[name=seconds]", "2")
    page.locator("#compose summary").click()
    page.fill("[name=steps]", "40")
    page.keyboard.press("Control+Enter")
    row = page.locator("#queue li.running")
    expect(row).to_contain_text("heavy rain on a tin roof")
    expect(row.locator(".stage")).to_contain_text("sampling")
    until(page, "document.querySelector('#queue progress')?.value > 0.2")
    expect(page.locator("#take h2")).to_have_text("heavy rain on a tin roof")
    expect(page.locator("#queue")).to_be_hidden()
    # It is heard when it is ready: the clock goes on, and the meter shows a level.
    until(page, "parseFloat(document.querySelector('.clock').textContent) > 0.2")
    until(page, f"{shown_level('Level in this browser')} > -40")
    expect(page.locator(".view.loading")).to_have_count(0)
    assert 0.02 < share_of_ink(page.locator(".view .wave")) < 0.98
    assert share_of_ink(page.locator(".view .spectrum")) > 0.1
    expect(page.locator("#rows [aria-selected=true]")).to_contain_text("heavy rain")
    take = host.library.search("tin roof")[-1]
    assert take.seconds == 2.0 and take.recipe.steps == 40
    assert not (host.library.folder / EXPORTS).exists()  # A copy was not asked for.


def test_words_are_changed_with_the_seed_kept(page: Page, host: LiveHost, make: Make) -> None:
    take = make("a small dog barks", seed=11, seconds=1.5)
    choose_take(page, take)
    page.keyboard.press("e")
    expect(page.locator(".summary")).to_contain_text("a small dog barks")
    expect(page.locator("[name=prompt]")).to_have_value("a small dog barks")
    expect(page.locator("[name=seconds]")).to_have_value("1.5")
    page.fill("[name=prompt]", "a large dog barks")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#take h2")).to_have_text("a large dog barks")
    made = host.library.search("large dog")[-1]
    assert made.recipe.seed == 11 and made.seconds == 1.5 and made.recipe.parent == take.id
    assert made.recipe.request.get("tag") is None and not made.id.startswith("null")


def test_what_is_cleared_is_left_out(page: Page, host: LiveHost, make: Make) -> None:
    take = make("a hen", seed=12, tag="farm")
    choose_take(page, take)
    page.keyboard.press("e")
    page.locator("#compose summary").click()
    page.fill("[name=seed]", "")
    page.fill("[name=count]", "2")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#rows [data-take]", has_text="a hen")).to_have_count(3)
    made = [one for one in host.library.search("a hen") if one.recipe.parent == take.id]
    assert len({12, *(one.recipe.seed for one in made)}) == 3 and {one.recipe.tag for one in made} == {"farm"}


def test_a_recording_has_no_words_to_change(page: Page, make: Make) -> None:
    take = make("a cow")
    with connect(page.url.replace("http", "tcp").removesuffix("/panel")) as unison:
        added = str(unison.call("/unison/asset/add", str(take.path))[4])
    page.reload()
    page.locator(f'[data-take="{added}"]').click()
    page.keyboard.press("e")
    expect(page.locator("#note")).to_contain_text("no words to change")
    page.fill("[name=prompt]", "a calf")
    page.get_by_role("button", name="Make").click()
    expect(page.locator("#take h2")).to_have_text("a calf")


def test_what_is_refused_is_told_beside_the_form(page: Page) -> None:
    choose_task(page, "scene_edit")
    page.fill("[name=source]", "no-such-take")
    page.fill("[name=instruction]", "Add rain.")
    page.get_by_role("button", name="Make").click()
    expect(page.locator(".request .wrong")).to_contain_text("no-such-take")


def test_jobs_are_cancelled_running_or_waiting(page: Page, host: LiveHost) -> None:
    page.locator("#compose summary").click()
    page.fill("[name=steps]", "1000")
    for words in ("never heard", "never begun"):
        page.fill("[name=prompt]", words)
        page.get_by_role("button", name="Make").click()
        expect(page.locator("#queue li", has_text=words)).to_be_visible()
    expect(page.locator("#queue li.running")).to_contain_text("never heard")
    page.locator("#queue li", has_text="never begun").get_by_role("button").click()
    expect(page.locator("#queue li")).to_have_count(1)
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("x")
    expect(page.locator("#queue")).to_be_hidden()
    with connect(f"tcp://127.0.0.1:{host.port}") as unison:
        assert [state for _, state, *_ in unison.entries("/unison/job/list")][-2:] == ["cancelled", "cancelled"]
    assert host.library.search("never") == []


def test_jobs_of_other_programs_are_shown_and_can_be_cancelled(page: Page, host: LiveHost) -> None:
    with OscClient(host.port) as other:
        other.ask("/unison/run/text_to_audio", 1, "from a workstation", 1.0, "steps", 1000, reply="/unison/ack")
        expect(page.locator("#queue li.running")).to_contain_text("A sound from a caption.")
        page.locator("#queue li").get_by_role("button").click()
        other.until("/unison/cancelled")
    expect(page.locator("#queue")).to_be_hidden()


def test_what_failed_for_another_program_is_told(page: Page, host: LiveHost) -> None:
    with OscClient(host.port) as other:
        other.ask("/unison/run/text_to_audio", 1, "first", 1.0, "steps", 1000, reply="/unison/ack")
        expect(page.locator("#queue li.running")).to_be_visible()
        pid = host.server.worker.pid
        assert pid
        os.kill(pid, signal.SIGKILL)
        other.until("/unison/fail")
    expect(page.locator("#note")).to_contain_text("failed: interrupted")
    expect(page.locator("#queue")).to_be_hidden()
