"""What is trained: networks, TFP latent distributions, losses. No flags and no files."""
