"""The published model's own parts: its files, mel front ends, MMAudio VAEs and BigVGAN vocoders."""
