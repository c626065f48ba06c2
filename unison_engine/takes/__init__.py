"""The take library: a folder of sounds, each a Broadcast Wave file that holds the recipe that made it."""

from unison_engine.takes.library import TakeLibrary
from unison_engine.takes.take import Recipe, Take

__all__ = ["Recipe", "Take", "TakeLibrary"]
