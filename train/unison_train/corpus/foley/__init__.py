"""Procedural sound: small physical and spectral recipes, seeded, captioned exactly because we know what we made."""
