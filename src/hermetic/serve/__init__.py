"""The service: answers encrypted queries over HTTP, and never holds a secret key.

One front process speaks HTTP (``app``). Evaluation processes (``evaluator``), which it supervises (``pool``,
``worker``), do the arithmetic, because SEAL's Python binding holds the interpreter's lock. A walk through a request:

    protocol    the connection: header bytes, header time, stalled readers
    access      who calls; 401 comes first
    v2, rest    the endpoint: of the Open Inference Protocol, or of the service's own addresses
    bodies      the declared length against the sizes the signature allows, then the bytes, against a clock
    queries     batch header -> model, public key, a place in the queue, the tenant's rate, an evaluation
    pool        a worker that has the key, or gets it now

A ``base_service`` has what every service has; a ``model_service`` serves models, a ``script_service`` a script.
"""
