"""Keras callbacks for training flows."""
