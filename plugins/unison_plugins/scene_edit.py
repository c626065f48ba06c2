"""Add, remove or replace a sound of a recording."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from unison_engine import conditioning
from unison_engine.conditioning import Conditioning
from unison_engine.tasks import Fixed, Recording, Request, Task, TaskContext, Text
from unison_plugins.sources import edit_source


class SceneEdit(Request):
    """Request of `scene_edit`."""

    source: Annotated[Recording, Field(description="The recording to edit; its length stays."), Fixed()]
    instruction: Annotated[Text, Field(description="What to do: Add rain. Remove the sound of the dog."), Fixed()]


def condition(request: SceneEdit, context: TaskContext) -> Conditioning:
    """The whole recording as source, the instruction as prompt."""
    return conditioning.scene_edit(edit_source(request.source, context), request.instruction, context.layout)


TASK = Task("scene_edit", "Add, remove or replace a sound of a recording.", SceneEdit, condition)
