"""The instruments: what more than one study uses. Methods that need no model are plain functions on arrays."""
