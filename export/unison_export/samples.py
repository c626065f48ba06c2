"""Inputs that the graphs of a bundle meet when it makes sounds: what rounding is judged by."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from numpy.typing import NDArray

from unison_engine import conditioning
from unison_engine.bundle import Bundle, Narrow
from unison_engine.prompts import Event
from unison_engine.runtime.backend import Runner
from unison_engine.runtime.backends import OnnxRuntime
from unison_engine.runtime.sampler import Sampling
from unison_engine.runtime.synthesis import Synthesizer

Samples = dict[str, list[dict[str, NDArray[Any]]]]
STEPS = 5


class Recorder:
    """onnxruntime, which writes down what every graph is given."""

    name = "recorder"
    automatic = True
    precision: Narrow | None = None

    def __init__(self) -> None:
        self.seen: Samples = defaultdict(list)

    def describe(self) -> str:
        """See `Backend.describe`."""
        return OnnxRuntime().describe()

    def load(self, bundle: Bundle, graph: str, threads: int) -> Runner:
        """See `Backend.load`."""
        run = OnnxRuntime().load(bundle, graph, threads)

        def recorded(**inputs: NDArray[Any]) -> NDArray[Any]:
            self.seen[graph].append({name: value.copy() for name, value in inputs.items()})
            return run(**inputs)

        return recorded


def record_inputs(bundle: Bundle, seconds: float = 2.5) -> Samples:
    """Inputs by graph while the bundle makes a sound, a line, a timeline, an edit and a cloned voice.

    The step is met at five times from 1 to 0.001, with both branches of guidance; in the last sound with one.
    """
    recorder = Recorder()
    synthesizer = Synthesizer(bundle, backends={recorder.name: recorder})
    layout, guidance = synthesizer.layout, bundle.manifest.sampling.guidance
    both, one = Sampling(steps=STEPS, guidance=guidance), Sampling(steps=STEPS, guidance=1.0)
    sound = synthesizer.run(conditioning.text_to_audio("heavy rain", seconds), seed=1, sampling=both)
    line = conditioning.text_to_speech("the train leaves now.", "female", seconds)
    speech = synthesizer.run(line, seed=2, sampling=both)
    events = [Event(0.2 * seconds, 0.4 * seconds, "a click"), Event(0.5 * seconds, seconds, "a bell rings")]
    for seed, request, sampling in (
        (3, conditioning.timeline(events, seconds), both),
        (4, conditioning.scene_edit(sound, "Add a church bell.", layout), both),
        (5, conditioning.voice_clone("open the gate.", "the train leaves now.", speech, seconds, layout), one),
    ):
        synthesizer.run(request, seed=seed, sampling=sampling)
    return recorder.seen
