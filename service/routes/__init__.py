"""One router per wire format, and one for the operations of the server itself."""
