"""What browsers are given beside OSCQuery: the panel's files, and the takes."""

from __future__ import annotations

import http.client
import io
import json
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
import soundfile

from unison_engine.audio import read_audio
from unison_engine.client import connect
from unison_engine.takes import Take
from unison_engine.testing import LiveHost, open_fast

TOKEN = "a long secret"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHost]:
    with LiveHost(open_fast, tmp_path_factory.mktemp("takes")) as live:
        yield live


@pytest.fixture(scope="module")
def take(host: LiveHost) -> Take:
    with connect(f"tcp://127.0.0.1:{host.port}") as unison:
        return unison.run("text_to_audio", prompt="heavy rain", seconds=2.0, seed=7, out="a name, with signs & ünicode")


def ask(
    host: LiveHost, path: str, headers: dict[str, str] | None = None, method: str = "GET", body: bytes | None = None
) -> tuple[int, Message, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", host.port)
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    return response.status, response.headers, answer


def told(host: LiveHost, path: str) -> Any:
    status, _, body = ask(host, path)
    assert status == 200, body
    return json.loads(body)


def of(take: Take, part: str) -> str:
    return f"/takes/{quote(take.id)}{part}"


def test_the_page_and_its_parts_are_served_with_their_types(host: LiveHost) -> None:
    types = {
        "": "text/html",
        "/app.js": "text/javascript",
        "/unison.js": "text/javascript",
        "/style.css": "text/css",
        "/inter.woff2": "font/woff2",
        "/icon.svg": "image/svg+xml",
        "/inter-licence.txt": "text/plain",
    }
    for name, kind in types.items():
        status, headers, body = ask(host, f"/panel{name}")
        assert status == 200 and headers.get_content_type() == kind and body
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert ask(host, f"/panel{name}", {"If-None-Match": headers["ETag"]})[0] == 304


@pytest.mark.parametrize("name", ["nothing.js", "__init__.py", "..%2fengine.py", "%2e%2e", "style.css%00"])
def test_nothing_but_the_panel_is_served(host: LiveHost, name: str) -> None:
    assert ask(host, f"/panel/{name}")[0] == 404


def test_oscquery_is_as_it_was(host: LiveHost) -> None:
    assert set(told(host, "/")["CONTENTS"]) == {"unison"}
    assert "NAME" in told(host, "/?HOST_INFO")


def test_a_take_is_told_whole(host: LiveHost, take: Take) -> None:
    document = told(host, of(take, ""))
    assert document["id"] == take.id and document["path"] == str(take.path)
    assert document["recipe"] == take.recipe.model_dump(mode="json")
    assert told(host, of(take, "/tree"))[0]["take"]["id"] == take.id
    envelope = ask(host, of(take, "/envelope"))[2]
    assert envelope == host.library.envelope(take.id).tobytes()


def test_a_sound_is_given_whole_or_in_ranges(host: LiveHost, take: Take) -> None:
    whole = take.path.read_bytes()
    status, headers, body = ask(host, of(take, "/sound.wav"))
    assert (status, body) == (200, whole) and headers.get_content_type() == "audio/wav"
    assert headers["Accept-Ranges"] == "bytes"
    status, headers, body = ask(host, of(take, "/sound.wav"), {"Range": "bytes=1000-1999"})
    assert (status, body) == (206, whole[1000:2000])
    assert headers["Content-Range"] == f"bytes 1000-1999/{len(whole)}"
    assert ask(host, of(take, "/sound.wav"), {"Range": f"bytes={len(whole)}-"})[0] == 416


@pytest.mark.parametrize("part", ["", "/sound.wav", "/tree", "/envelope"])
@pytest.mark.parametrize("name", ["nothing", "..%2f..%2fetc%2fpasswd", "%2e%2e", "x%00y", ".hidden", "x" * 300])
def test_what_is_no_take_of_the_library_is_not_there(host: LiveHost, name: str, part: str) -> None:
    (host.library.folder.parent / "secret.wav").write_bytes(b"RIFF")
    assert ask(host, f"/takes/{name}{part}")[0] == 404
    assert ask(host, f"/takes/..%2fsecret{part}")[0] == 404


def test_takes_are_searched_and_told_in_pages_newest_first(host: LiveHost, take: Take) -> None:
    with connect(f"tcp://127.0.0.1:{host.port}") as unison:
        made = [unison.run("text_to_audio", prompt=f"page {n}", seconds=0.1, tag=f"no. {n}") for n in range(5)]
    found = told(host, "/takes?text=page&offset=1&limit=2")
    assert found["total"] == 5 and [one["id"] for one in found["takes"]] == [made[3].id, made[2].id]
    assert told(host, "/takes?text=rain+heavy&task=text_to_audio")["total"] == 1
    assert [one["id"] for one in told(host, "/takes?tag=no.+3")["takes"]] == [made[3].id]
    for query in ("limit=0", "limit=many", "offset=-1", "words=rain"):
        status, _, body = ask(host, f"/takes?{query}")
        assert status == 400 and query.split("=")[0].encode() in body


def test_a_part_is_cut_out_to_the_sample_and_knows_where_it_came_from(host: LiveHost, take: Take) -> None:
    status, _, body = ask(host, of(take, "/cut?start=0.5&end=1.25"), method="POST")
    part = host.library.get(json.loads(body)["id"])
    assert status == 201 and part.seconds == 0.75 and part.recipe.parent == take.id and part.recipe.task == "cut"
    whole = read_audio(take.path, take.rate)
    assert np.array_equal(read_audio(part.path, part.rate), whole[24_000:60_000])
    # It is a recording like any other, for other machines as well.
    with connect(f"tcp://127.0.0.1:{host.port}") as unison:
        edit = unison.run("scene_edit", source=part.id, instruction="Add rain.")
    assert edit.recipe.parent == part.id and edit.seconds == pytest.approx(0.75, abs=0.05)
    for query, code in (("start=1&end=1", 400), ("start=3&end=4", 400), ("start=1", 400), ("start=-1&end=1", 400)):
        assert ask(host, of(take, f"/cut?{query}"), method="POST")[0] == code
    assert ask(host, "/takes/nothing/cut?start=0&end=1", method="POST")[0] == 404


def test_a_recording_that_is_sent_becomes_a_take(host: LiveHost, monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(22_050) / 44_100)
    soundfile.write(file, wave, 44_100, format="FLAC")
    status, _, body = ask(host, "/takes?name=a%20siren", method="POST", body=file.getvalue())
    sent = host.library.get(json.loads(body)["id"])
    assert status == 201 and sent.id == "a siren" and sent.recipe.task == "import" and sent.seconds == 0.5
    heard = read_audio(sent.path, 44_100)
    assert np.abs(heard[1000:-1000] - wave[1000:-1000]).max() < 1e-3
    for query, data, said in (
        ("name=text", b"no sound at all", "not readable audio"),
        ("name=..%2Fout", file.getvalue(), "name"),
        ("", file.getvalue(), "name"),
    ):
        status, _, body = ask(host, f"/takes?{query}", method="POST", body=data)
        assert status == 400 and said in body.decode()
    assert ask(host, "/takes?name=siren", {"Origin": "https://elsewhere.example"}, "POST", file.getvalue())[0] == 403
    monkeypatch.setattr("unison_engine.host.incoming.MAX_UPLOAD", 100)
    status, _, body = ask(host, "/takes?name=long", method="POST", body=file.getvalue())
    assert status == 413 and "long is larger than 100 bytes" in body.decode()


def test_pages_from_elsewhere_get_nothing(host: LiveHost, take: Take) -> None:
    for path in ("/panel", "/takes", of(take, "/sound.wav"), "/panel/session"):
        assert ask(host, path, {"Origin": "https://elsewhere.example"})[0] == 403
        assert ask(host, path, {"Host": "elsewhere.example"})[0] == 403
    foreign = {"Origin": "https://elsewhere.example"}
    assert ask(host, of(take, "/cut?start=0&end=1"), foreign, "POST")[0] == 403
    origin = "http://localhost:5173"
    assert ask(host, "/takes", {"Origin": origin})[1]["Access-Control-Allow-Origin"] == origin


def test_takes_want_the_token_or_the_cookie_of_a_session(tmp_path: Path) -> None:
    with LiveHost(open_fast, tmp_path, "0.0.0.0", TOKEN) as far:
        with connect(f"tcp://127.0.0.1:{far.port}", TOKEN) as unison:
            take = unison.run("text_to_audio", prompt="sea", seconds=0.5)
        sound = of(take, "/sound.wav")
        for path in ("/takes", sound, of(take, "/tree"), "/panel/session"):
            assert ask(far, path)[0] == 401
            assert ask(far, path, {"Authorization": "Bearer another"})[0] == 401
            assert ask(far, path, {"Cookie": f"unison-{far.port}=another"})[0] == 401
        assert ask(far, of(take, "/cut?start=0&end=0.2"), method="POST")[0] == 401
        assert ask(far, "/panel")[0] == ask(far, "/panel/app.js")[0] == 200
        status, headers, _ = ask(far, "/panel/session", {"Authorization": f"Bearer {TOKEN}"})
        assert status == 204 and "HttpOnly" in headers["Set-Cookie"] and "SameSite=Strict" in headers["Set-Cookie"]
        cookie = {"Cookie": headers["Set-Cookie"].split(";")[0]}
        assert TOKEN not in headers["Set-Cookie"]
        assert ask(far, sound, cookie)[2] == take.path.read_bytes()
        assert ask(far, "/unison", cookie)[0] == 200
