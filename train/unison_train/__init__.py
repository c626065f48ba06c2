"""Training: corpus, autoencoder, network and trainer. Needs torch; the engine never imports it."""
