"""Judges: models that hear a wave of 16 kHz and say what is in it. All but the tagger were trained by others."""
