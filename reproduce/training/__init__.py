"""The training of a model: recipes, run directories, the loop, trained models."""
