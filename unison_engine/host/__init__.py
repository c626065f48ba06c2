"""The live host: OSC in, jobs, an inference worker in its own process, takes, and sound out."""
