"""Everything Hermetic raises on purpose.

    HermeticError
    ├── ParameterError        an insecure or impossible parameter set
    ├── CompileError          a model that cannot be compiled as asked        (also a ValueError)
    │   ├── UnsupportedModelError   the estimator, or an option of it, is not supported
    │   └── PrecisionError          the requested error bound cannot be guaranteed
    ├── InputError            data the client must not encrypt                (also a ValueError)
    ├── WireError             bytes that are not a valid Hermetic object      (also a ValueError)
    ├── MismatchError         valid objects that do not belong together
    ├── DecryptionError       a result that is not an answer to this client
    ├── KeyFileError          a secret-key file that cannot be read or written
    ├── ModelFileError        a model file that cannot be read or written
    ├── SettingsError         an option that cannot be used                   (also a ValueError)
    └── RemoteError           a service that gave no usable answer
        ├── UnreachableError        no connection to it, or one that broke      (also a ConnectionError)
        │   └── TLSError                  its certificate, or its TLS, is not accepted
        ├── RemoteTimeoutError      no answer in time                           (also a TimeoutError)
        ├── AuthenticationError     it does not accept the token
        ├── ModelNotFoundError      it has no such model or version
        ├── SignatureChangedError   its model is no longer the one connected to (also a MismatchError)
        ├── BusyError               it has no room now, or a quota is used up
        ├── RefusedError            it refuses the request itself
        │   └── TooLargeError             because it is too large
        └── ProtocolError           what it answers is not what a Hermetic service answers

A message says what must be, what came instead, and what to do next.
"""


class HermeticError(Exception):
    """Base class: catch this to catch everything Hermetic raises on purpose."""


class ParameterError(HermeticError):
    """A parameter set is insecure or impossible."""


class CompileError(HermeticError, ValueError):
    """A model cannot be compiled as asked."""


class UnsupportedModelError(CompileError):
    """The estimator, or one of its options, has no encrypted form here."""


class PrecisionError(CompileError):
    """The requested error bound cannot be guaranteed; the message says what would fit."""


class InputError(HermeticError, ValueError):
    """An input is refused before anything is encrypted."""


class WireError(HermeticError, ValueError):
    """Bytes are not a valid Hermetic object of the expected kind."""


class MismatchError(HermeticError):
    """Two valid objects do not belong together (model, signature, parameters or key)."""


class DecryptionError(HermeticError):
    """A result does not decrypt within the guaranteed noise bound."""


class CalibrationError(DecryptionError):
    """An answer of a network is outside its calibrated range: it may be wrong.

    Attributes
    ----------
    sample
        The first such sample, counted from 0.
    """

    def __init__(self, sample: int) -> None:
        super().__init__(
            f"an answer must have a range word within the model's calibrated range. That of sample {sample} is "
            "outside: its input is far from those that the model's owner calibrated it on, so its scores may be wrong; "
            "or the answer was damaged or computed under another key."
        )
        self.sample = sample

    def __reduce__(self) -> tuple[type, tuple[int]]:
        return CalibrationError, (self.sample,)


class KeyFileError(HermeticError):
    """A secret-key file cannot be read or written."""


class ModelFileError(HermeticError):
    """A model file cannot be read or written."""


class SettingsError(HermeticError, ValueError):
    """An option cannot be used, alone or with the others."""


class RemoteError(HermeticError):
    """A service gave no usable answer.

    Attributes
    ----------
    status
        The HTTP status, or ``None`` when there was no answer.
    request_id
        What the service's log calls the request, or ``None``.
    """

    def __init__(self, message: str, *, status: int | None = None, request_id: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.request_id = request_id


class UnreachableError(RemoteError, ConnectionError):
    """There is no connection to the service, or it broke."""


class TLSError(UnreachableError):
    """The service's certificate, or the TLS it speaks, is not accepted."""


class RemoteTimeoutError(RemoteError, TimeoutError):
    """The service did not answer in time."""


class AuthenticationError(RemoteError):
    """The service does not accept the token: there is none, or it is unknown or expired."""


class ModelNotFoundError(RemoteError):
    """The service has no such model or version, or does not show it to this token."""


class SignatureChangedError(RemoteError, MismatchError):
    """The service's model is no longer the one that was connected to.

    Attributes
    ----------
    changes
        What is different, one line each.
    """

    changes: tuple[str, ...] = ()


class BusyError(RemoteError):
    """The service has no room for the request now, or a rate or quota is used up.

    Attributes
    ----------
    retry_after
        Seconds until it may answer again, as it says, or ``None``.
    """

    retry_after: float | None = None


class RefusedError(RemoteError):
    """The service refuses the request itself."""


class TooLargeError(RefusedError):
    """The service refuses the request because it is too large."""


class ProtocolError(RemoteError):
    """What the service answers is not what a Hermetic service answers."""
