"""Programs: parse, compose, print. What they do is done in `mt` and `service`."""
