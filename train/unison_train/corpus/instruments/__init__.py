"""Instruments and drums: phrases played by a General MIDI soundfont, captioned by what was written into the score."""
