"""The native wire: all that the models say about a translation, and how to ask for it.

    schemas    the bodies of requests and answers
    reading    a request's body -> the job it asks for
    rendering  what became of a job -> an answer's body
    streaming  the same while it happens, event by event

`service.routes.native` has the routes.
"""
