"""The HTTP service over `mt`: wires requests to one shared translator."""
