"""U-Nets of published research checkpoints, with the tensor names of the originals; their weights come from a file."""
