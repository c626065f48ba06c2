"""Forms, made from what OSCQuery tells of the tasks."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.panel.bell_tower import TASK as STRANGER
from tests.panel_browser import choose_task, in_chromium
from unison_engine.client import connect
from unison_engine.registry import load_registry
from unison_engine.schema import parameters
from unison_engine.testing import LiveHost

pytestmark = in_chromium


@pytest.mark.parametrize("name", [*load_registry().tasks, STRANGER.name])
def test_every_task_has_a_form_of_all_its_fields(page: Page, name: str) -> None:
    task = STRANGER if name == STRANGER.name else load_registry().task(name)
    choose_task(page, name)
    expect(page.locator(".summary")).to_contain_text(task.summary)
    page.locator("#compose summary").click()
    for field in parameters(task.request):
        input_ = page.locator(f"[name={field.name}]")
        expect(input_).to_be_visible()
        expect(page.locator(f"#{input_.get_attribute('aria-describedby')}")).to_contain_text(field.description)
        assert input_.evaluate("input => input.required") == field.required
        if field.kind is bool:
            assert input_.get_attribute("type") == "checkbox"
        elif field.choices:
            assert input_.locator("option").count() == len(field.choices)
        elif field.minimum is not None:
            assert float(input_.get_attribute("min") or "nan") == field.minimum
        if field.default and not field.choices:
            value = input_.input_value()
            assert (float(value) if field.kind is float else value) == field.default


def test_a_task_of_a_stranger_makes_a_sound_from_its_own_fields(page: Page, host: LiveHost) -> None:
    choose_task(page, STRANGER.name)
    page.fill("[name=hour]", "13")
    page.fill("[name=words]", "a cracked bell")
    page.get_by_role("button", name="Make").click()
    expect(page.locator("[name=hour]:invalid")).to_be_visible()
    page.fill("[name=hour]", "3")
    page.locator("#compose summary").click()
    page.get_by_label("Echo").check()
    page.get_by_role("button", name="Make").click()
    expect(page.locator("#take h2")).to_have_text("a cracked bell")
    (take,) = host.library.search(task=STRANGER.name)
    assert take.recipe.request["hour"] == 3 and take.recipe.request["echo"] is True and take.seconds == 3.0


def test_forms_come_and_go_with_their_plugins(page: Page, host: LiveHost) -> None:
    tab = page.locator(f"label:has(input[value={STRANGER.name}])")
    expect(tab).to_be_visible()
    with connect(f"tcp://127.0.0.1:{host.port}") as unison:
        unison.call("/unison/plugin/disable", "bells", "It rings.")
        expect(tab).to_have_count(0)
        unison.call("/unison/plugin/enable", "bells")
    choose_task(page, STRANGER.name)
    expect(page.get_by_label("Hour")).to_be_visible()
