"""The paper: claims, figures, tables and text, made from result files alone.

Nothing here imports a model, or anything that imports TensorFlow.
"""
