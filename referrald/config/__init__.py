"""The configuration: schema, load, check, render."""
