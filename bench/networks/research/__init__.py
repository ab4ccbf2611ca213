"""Checkpoints of research repositories, read without their code; a family of them is one file in `families`."""
