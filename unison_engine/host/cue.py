"""Where on the transport that is followed a sound starts."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from unison_engine.host.transport import Transport
from unison_engine.schema import Schema, Unit


class Cue(Schema):
    """Pairs that name a place on the transport that is followed, in bars or in seconds; or none, for no place."""

    bar: Annotated[
        float | None,
        Field(
            ge=1.0, le=100_000.0, description="Start at this bar of the transport that is followed; 17.5 is its middle."
        ),
    ] = None
    at: Annotated[
        float | None,
        Field(ge=0.0, le=1_000_000.0, description="Start at these seconds of the transport that is followed."),
        Unit("seconds"),
    ] = None

    @field_validator("at")
    @classmethod
    def _one_place(cls, at: float | None, info: ValidationInfo) -> float | None:
        if at is not None and info.data.get("bar") is not None:
            raise ValueError("bar is given too, and a sound starts in one place; leave one of them out")
        return at

    @property
    def place(self) -> str:
        """The pair that was given, such as `bar 17.5`; empty for none."""
        given = {"bar": self.bar, "at": self.at}
        return next((f"{name} {value:g}" for name, value in given.items() if value is not None), "")

    def when(self, transport: Transport) -> float | None:
        """Unix time at which the transport is at the place if it goes on like this; None while it stands."""
        return transport.when(self.bar) if self.bar is not None else transport.when_at(self.at or 0.0)
