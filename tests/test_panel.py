"""The panel in a real browser, at a running host."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import pytest
from pydantic import Field

from unison_engine import conditioning
from unison_engine.client import connect
from unison_engine.host import server as server_module
from unison_engine.registry import Registry, load_registry
from unison_engine.schema import parameters
from unison_engine.takes import Recipe, Take
from unison_engine.tasks import Fixed, Request, Seconds, Task, Text
from unison_engine.testing import LiveHost, OscClient, open_fast, open_slow

pytest.importorskip("playwright", reason="playwright is missing: pip install playwright")

from playwright.sync_api import Browser, Locator, Page, expect

from tests.panel_browser import MISSING, PATIENCE, chromium, open_browser, open_panel

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not chromium(), reason=MISSING)]
expect.set_options(timeout=PATIENCE)
TOKEN = "a long secret"


class BellTower(Request):
    hour: Annotated[int, Field(ge=1, le=12, description="How often the bell rings."), Fixed()]
    words: Annotated[Text, Field(description="What the bell is like."), Fixed()]
    seconds: Annotated[Seconds, Field(description="Length of the sound.")] = 3.0
    echo: Annotated[bool, Field(description="Whether the square answers.")] = False


STRANGER = Task(
    "bell_tower",
    "A bell that tells the hour.",
    BellTower,
    lambda request, context: conditioning.text_to_audio(request.words, request.seconds),
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHost]:
    known = load_registry()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            server_module,
            "load_registry",
            lambda: Registry({**known.tasks, STRANGER.name: STRANGER}, known.backends, known.plugins),
        )
        with LiveHost(open_slow, tmp_path_factory.mktemp("takes")) as live:
            yield live


@pytest.fixture
def page(browser: Browser, host: LiveHost) -> Iterator[Page]:
    faults: list[str] = []
    opened = open_panel(browser, host.port, faults)
    yield opened
    opened.close()
    assert faults == []


def make(host: LiveHost, prompt: str, **fields: object) -> Take:
    with connect(f"tcp://127.0.0.1:{host.port}") as unison:
        return unison.run("text_to_audio", prompt=prompt, **cast(dict[str, Any], {"seconds": 1.0, **fields}))


def choose_task(page: Page, name: str) -> None:
    page.locator(f"label:has(input[value={name}])").click()


def choose_take(page: Page, take: Take) -> None:
    page.locator(f'[data-take="{take.id}"]').click()
    expect(page.locator("#take .drag")).to_have_text(f"{take.id}.wav")
    expect(page.locator(".view.loading")).to_have_count(0)


def until(page: Page, script: str) -> None:
    """Wait for an expression to be true. Playwright's own way compiles it in the page, which its policy forbids."""
    deadline = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(script):
        assert time.monotonic() < deadline, script
        page.wait_for_timeout(20)


def share_of_ink(canvas: Locator) -> float:
    """How much of a canvas is another colour than its corner."""
    script = """canvas => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let ink = 0;
      for (let at = 0; at < data.length; at += 4)
        ink += [0, 1, 2, 3].some((part) => Math.abs(data[at + part] - data[part]) > 8);
      return ink / (data.length / 4);
    }"""
    return float(canvas.evaluate(script))


def test_a_prompt_becomes_a_sound_that_is_seen_and_heard(page: Page, host: LiveHost) -> None:
    page.keyboard.press("n")
    page.keyboard.type("heavy rain on a tin roof")
    page.fill("[name=seconds]", "2")
    page.locator("summary").click()
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
    until(page, "Number(document.querySelector('#meter').ariaValueNow) > -40")
    expect(page.locator(".view.loading")).to_have_count(0)
    assert 0.02 < share_of_ink(page.locator(".view .wave")) < 0.98
    assert share_of_ink(page.locator(".view .spectrum")) > 0.1
    expect(page.locator("#rows [aria-selected=true]")).to_contain_text("heavy rain")
    take = host.library.search("tin roof")[-1]
    assert take.seconds == 2.0 and take.recipe.steps == 40


def test_play_stops_and_goes_on_and_the_arrows_move_the_position(page: Page, host: LiveHost) -> None:
    take = make(host, "a long wind", seconds=5.0)
    choose_take(page, take)
    play = page.get_by_role("button", name="Play", exact=True)
    view = page.get_by_role("slider")
    view.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(view).to_have_attribute("aria-valuenow", "0.50")
    page.keyboard.press("Space")
    until(page, "parseFloat(document.querySelector('.clock').textContent) > 0.7")
    page.keyboard.press("Space")
    expect(play).to_be_visible()
    stopped = float(view.get_attribute("aria-valuenow") or 0)
    play.click()
    until(page, f"parseFloat(document.querySelector('.clock').textContent) > {stopped + 0.1}")


def test_a_take_is_heard_at_the_device_of_the_engine(page: Page, host: LiveHost) -> None:
    take = make(host, "a slow tide", seconds=5.0)
    choose_take(page, take)
    page.get_by_label("Heard in").select_option("engine")
    view = page.get_by_role("slider")
    view.focus()
    page.keyboard.press("PageUp")  # By a second.
    page.keyboard.press("Space")
    until(page, "parseFloat(document.querySelector('.clock').textContent) > 1.2")
    with connect(f"tcp://127.0.0.1:{host.port}") as unison:
        ((_, asset, state, position, *_),) = unison.entries("/unison/play/list")
        assert (asset, state) == (take.id, "playing") and isinstance(position, float) and 1.0 < position < 5.0
        page.keyboard.press("Space")
        expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
        unison.call("/unison/sync")
        while unison.entries("/unison/play/list"):  # It fades out.
            page.wait_for_timeout(20)
        page.keyboard.press("End")
        for _ in range(3):
            page.keyboard.press("ArrowLeft")
        page.keyboard.press("Space")
        expect(page.get_by_role("button", name="Pause")).to_be_visible()
        expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()  # It ended by itself.
        expect(view).to_have_attribute("aria-valuenow", "5.00")


def test_variations_stand_side_by_side_and_in_the_descent(page: Page, host: LiveHost) -> None:
    take = make(host, "one wave breaks")
    choose_take(page, take)
    page.keyboard.press("v")
    rows = page.locator(".variations li")
    expect(rows).to_have_count(5)
    expect(page.locator(".descent button")).to_have_count(5)
    until(page, "[...document.querySelectorAll('.strip .spectrum')].every(({ width }) => width > 300)")
    assert share_of_ink(rows.nth(3).locator(".wave")) > 0.02
    page.keyboard.press("Space")
    until(page, "parseFloat(document.querySelector('.clock').textContent) > 0.2")
    page.keyboard.press("3")
    expect(rows.nth(2).locator("button")).to_have_attribute("aria-pressed", "true")
    position = float(page.get_by_role("slider").get_attribute("aria-valuenow") or 0)
    assert position > 0.15  # It goes on where the other one was.
    family = host.library.tree(take.id)
    assert [depth for depth, _ in family] == [0, 1, 1, 1, 1]
    expect(page.locator("#take .drag")).to_have_text(f"{family[2][1].id}.wav")
    expect(page.locator(".descent [aria-current=true]")).to_contain_text(f"seed {family[2][1].recipe.seed}")
    page.locator(".descent button").first.click()
    expect(page.locator("#take .drag")).to_have_text(f"{take.id}.wav")


def test_words_are_changed_with_the_seed_kept(page: Page, host: LiveHost) -> None:
    take = make(host, "a small dog barks", seed=11, seconds=1.5)
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


def test_jobs_are_cancelled_running_or_waiting(page: Page, host: LiveHost) -> None:
    page.locator("summary").click()
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


def test_sounds_are_placed_on_the_time_axis_by_hand_and_by_keys(page: Page, host: LiveHost) -> None:
    choose_task(page, "timeline")
    page.fill("[name=seconds]", "5")
    text = page.locator("input.as-text")
    expect(text).to_have_value("0.0-2.0 footsteps on gravel; 2.5-3.5 a door slams")
    box = page.locator(".track").bounding_box()
    assert box
    second = box["width"] / 5

    def drag(x: float, by: float) -> None:
        page.mouse.move(box["x"] + x * second, box["y"] + 24)
        page.mouse.down()
        page.mouse.move(box["x"] + (x + by) * second, box["y"] + 24, steps=5)
        page.mouse.up()

    drag(3.0, 0.5)
    expect(text).to_have_value("0.0-2.0 footsteps on gravel; 3.0-4.0 a door slams")
    page.mouse.move(box["x"] + 4.0 * second - 4, box["y"] + 24)
    page.mouse.down()
    page.mouse.move(box["x"] + 4.5 * second - 4, box["y"] + 24, steps=5)
    page.mouse.up()
    expect(text).to_have_value("0.0-2.0 footsteps on gravel; 3.0-4.5 a door slams")
    page.locator(".block").first.focus()
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowLeft", "Alt+ArrowRight"):
        page.keyboard.press(key)
    expect(text).to_have_value("0.3-2.1 footsteps on gravel; 3.0-4.5 a door slams")
    page.get_by_role("button", name="Add a sound").click()
    page.keyboard.type("wind; far away")
    page.get_by_label("Start of the sound").fill("1")
    page.get_by_label("Start of the sound").press("Tab")
    page.get_by_label("End of the sound").fill("4.8")
    page.get_by_label("End of the sound").press("Tab")
    events = "0.3-2.1 footsteps on gravel; 1.0-4.8 wind, far away; 3.0-4.5 a door slams"
    expect(text).to_have_value(events)
    page.locator(".block", has_text="door").focus()
    page.keyboard.press("Delete")
    expect(page.locator(".block")).to_have_count(2)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#take h2")).to_have_text("footsteps on gravel, wind, far away")
    request = host.library.search("wind, far away")[-1].recipe.request
    assert request["events"] == "0.3-2.1 footsteps on gravel; 1.0-4.8 wind, far away" and request["seconds"] == 5.0


def test_a_region_is_played_cut_out_and_used(page: Page, host: LiveHost) -> None:
    take = make(host, "a long train passes", seconds=4.0)
    choose_take(page, take)
    box = page.locator(".view").bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 50, steps=5)
    page.mouse.up()
    start, end = page.get_by_label("Start of the region"), page.get_by_label("End of the region")
    expect(start).to_have_value("1.00")
    expect(end).to_have_value("2.00")
    end.fill("1.5")
    end.press("Tab")
    page.locator("h1").click()
    page.keyboard.press("Space")
    until(page, "parseFloat(document.querySelector('.clock').textContent) >= 1.49")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()  # It stopped at the end of the region.
    page.locator(".use").get_by_role("button", name="Scene edit").click()
    expect(page.locator("[name=source]")).not_to_have_value("")
    (part,) = host.library.search(task="cut")
    assert part.seconds == 0.5 and part.recipe.parent == take.id
    expect(page.locator("[name=source]")).to_have_value(part.id)
    page.fill("[name=instruction]", "Add rain.")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#take h2")).to_have_text("Add rain.")
    expect(page.locator(".descent li")).to_have_count(3)


def test_what_is_refused_is_told_beside_the_form(page: Page) -> None:
    choose_task(page, "scene_edit")
    page.fill("[name=source]", "no-such-take")
    page.fill("[name=instruction]", "Add rain.")
    page.get_by_role("button", name="Make").click()
    expect(page.locator(".request .wrong")).to_contain_text("no-such-take")


@pytest.mark.parametrize("name", [*load_registry().tasks, STRANGER.name])
def test_every_task_has_a_form_of_all_its_fields(page: Page, name: str) -> None:
    task = STRANGER if name == STRANGER.name else load_registry().task(name)
    choose_task(page, name)
    expect(page.locator(".summary")).to_contain_text(task.summary)
    page.locator("summary").click()
    for field in parameters(task.request):
        input_ = page.locator(f"[name={field.name}]")
        expect(input_).to_be_visible()
        expect(page.locator(f"#{input_.get_attribute('aria-describedby')}")).to_contain_text(field.description)
        assert input_.evaluate("input => input.required") == field.required
        if field.kind is bool:
            assert input_.get_attribute("type") == "checkbox"
        elif field.choices:
            assert input_.locator("option").count() == len([choice for choice in field.choices if choice])
        elif field.minimum is not None:
            assert float(input_.get_attribute("min") or "nan") == field.minimum
        if field.default and not field.choices:
            value = input_.input_value()
            assert (float(value) if field.kind is float else value) == field.default


def test_a_task_of_a_stranger_is_asked_for_with_its_own_fields(page: Page, host: LiveHost) -> None:
    choose_task(page, STRANGER.name)
    page.fill("[name=hour]", "3")
    page.fill("[name=words]", "a cracked bell")
    page.get_by_role("button", name="Make").click()
    # The worker is another process, and this test's plugin is not installed there: its error is the proof of arrival.
    expect(page.locator(".request .wrong")).to_contain_text("bell_tower")


def test_a_take_is_dragged_out_as_a_file(page: Page, host: LiveHost) -> None:
    take = make(host, "a stone falls")
    choose_take(page, take)
    script = """link => {
      const dataTransfer = new DataTransfer();
      link.dispatchEvent(new DragEvent("dragstart", { dataTransfer, bubbles: true }));
      return Object.fromEntries([...dataTransfer.types].map((type) => [type, dataTransfer.getData(type)]));
    }"""
    for source in (page.locator("#take .drag"), page.locator("#rows [aria-selected=true]")):
        carried = source.evaluate(script)
        kind, name, url = carried["downloadurl"].split(":", 2)
        assert (kind, name) == ("audio/wav", f"{take.id}.wav") and carried["text/plain"] == take.id
        assert page.request.get(url).body() == take.path.read_bytes()
    with page.expect_download() as saved:
        page.locator("#take .drag").click()
    assert saved.value.suggested_filename == f"{take.id}.wav"


def test_an_engine_that_goes_away_is_told(browser: Browser, tmp_path: Path) -> None:
    with LiveHost(open_fast, tmp_path) as host:
        page = open_panel(browser, host.port, [])
        expect(page.locator("#model")).to_have_text("noise, ready")
    expect(page.locator("#model")).to_contain_text("does not answer")
    page.close()


def test_a_token_is_asked_for_once(browser: Browser, tmp_path: Path) -> None:
    with LiveHost(open_fast, tmp_path, "0.0.0.0", TOKEN) as far:
        with connect(f"tcp://127.0.0.1:{far.port}", TOKEN) as unison:
            unison.run("text_to_audio", prompt="sea", seconds=1.0)
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{far.port}/panel")
        field = page.get_by_label("This engine asks for the token")
        field.fill("not the secret")
        page.keyboard.press("Enter")
        expect(page.locator("#token .wrong")).to_have_text("That is not the token.")
        field.fill(TOKEN)
        page.keyboard.press("Enter")
        expect(page.locator("#take h2")).to_have_text("sea")
        page.get_by_role("button", name="Play", exact=True).click()
        until(page, "parseFloat(document.querySelector('.clock').textContent) > 0.1")
        again = context.new_page()
        again.goto(f"http://127.0.0.1:{far.port}/panel")
        expect(again.locator("#take h2")).to_have_text("sea")
        context.close()


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHost]:
    """A host with 500 takes."""
    with LiveHost(open_fast, tmp_path_factory.mktemp("many")) as live:
        with connect(f"tcp://127.0.0.1:{live.port}") as unison:
            first = unison.run("text_to_audio", prompt="sound 0", seconds=0.1)
        for number in range(1, 500):
            request = {**first.recipe.request, "prompt": f"sound {number}"}
            recipe = first.recipe.model_copy(update={"request": request, "prompt": f"[Audio] sound {number}"})
            live.library.save(np.zeros(2400, np.float32), 24_000, Recipe.model_validate(recipe.model_dump()))
        yield live


def test_of_500_takes_those_in_view_are_in_the_page(browser: Browser, full: LiveHost) -> None:
    faults: list[str] = []
    page = open_panel(browser, full.port, faults)
    expect(page.locator("#total")).to_have_text("500 takes")
    rows = page.locator("#rows .row")
    expect(rows.first).to_contain_text("sound")
    for top in range(0, 30_000, 700):
        page.evaluate("top => { document.querySelector('#rows').scrollTop = top }", top)
    assert rows.count() < 40
    expect(rows.first).not_to_have_text("…")
    page.locator("#rows").focus()
    page.keyboard.press("End")
    last = page.locator("[aria-posinset='500']")
    expect(last).to_have_attribute("aria-selected", "true")
    expect(last).to_be_in_viewport()
    page.keyboard.press("Home")
    expect(page.locator("[aria-posinset='1']")).to_be_in_viewport()
    page.keyboard.press("/")
    page.keyboard.type("sound 499")
    expect(page.locator("#total")).to_have_text("1 take")
    expect(rows).to_have_count(1)
    page.close()
    assert faults == []


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, from npm."""
    if not shutil.which("npm"):
        pytest.skip("npm is missing: sudo apt-get install npm")
    folder = tmp_path_factory.mktemp("axe")
    done = subprocess.run(["npm", "pack", "axe-core"], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"axe-core cannot be fetched: {done.stderr.strip()[-200:]}")
    shutil.unpack_archive(next(folder.glob("*.tgz")), folder)
    return (folder / "package" / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 820])
def test_axe_finds_nothing_serious(browser: Browser, host: LiveHost, axe: str, scheme: str, width: int) -> None:
    take = make(host, "one wave breaks")
    with connect(f"tcp://127.0.0.1:{host.port}") as unison:
        unison.vary(take.id, 2)
    page = open_panel(browser, host.port, [], color_scheme=scheme, viewport={"width": width, "height": 1000})
    choose_take(page, take)
    expect(page.locator(".variations li")).to_have_count(3)
    page.evaluate(axe)  # In the page's own world, past its policy.

    def check(what: str) -> None:
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
        told = [(one["id"], one["impact"], [node["target"] for node in one["nodes"]]) for one in found]
        assert [one for one in told if one[1] in ("serious", "critical")] == [], (what, json.dumps(told))

    check("at rest")
    for name in load_registry().tasks:
        choose_task(page, name)
        page.locator("summary").click()
        check(name)
    page.locator("h1").click()
    page.keyboard.press("?")
    expect(page.locator("#shortcuts")).to_be_visible()
    check("shortcuts")
    page.close()
