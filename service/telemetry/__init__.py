"""One line of log and a few figures for each request, and never a text, a key or an address."""
