"""Parts of the model behind every flow."""
