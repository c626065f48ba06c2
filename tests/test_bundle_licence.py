"""A bundle is under our licence only as far as the recordings that its weights learnt from allow."""

from __future__ import annotations

from unison_export.bundle import licence_of


def test_weights_that_heard_permissive_recordings_alone_are_under_ours() -> None:
    heard = {"clips_by_licence": {"CC0-1.0": 3, "MIT": 1}}
    assert licence_of({"data": heard, "start": {"data": {"clips_by_licence": {"Apache-2.0": 9}}}}) == "Apache-2.0"


def test_what_an_earlier_run_heard_counts_as_well() -> None:
    record = {
        "data": {"clips_by_licence": {"MIT": 1}},
        "start": {"start": {"data": {"clips_by_licence": {"unknown": 2, "CC-BY-NC-4.0": 5}}}},
    }
    assert licence_of(record) == "Apache-2.0, as far as the recordings it was trained on allow: CC-BY-NC-4.0, unknown"
