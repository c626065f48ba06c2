from __future__ import annotations

import pytest

from tests.vectors_io import table
from unison_train.model.layers import layer_indices


@pytest.mark.parametrize("case", table("tables/layer_selection"))
def test_layer_selection(case: dict[str, object]) -> None:
    assert layer_indices(case["llm_layers"], case["dit_depth"]) == case["interval"]  # type: ignore[arg-type]
