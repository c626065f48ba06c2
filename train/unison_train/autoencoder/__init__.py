"""A small waveform autoencoder: log-mel encoder, decoder that ends in an inverse Fourier transform."""
