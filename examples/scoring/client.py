"""The data owner's side of ``score.py``: encrypt, ask, decrypt."""

import httpx
import numpy as np
import numpy.typing as npt
from azure.storage.blob import ContainerClient

from hermetic import Client, Result
from hermetic.signature import Signature


def predict(
    scoring_uri: str, public_keys: ContainerClient, X: npt.ArrayLike, token: str | None = None
) -> npt.NDArray[np.generic]:
    """The labels (B,) of samples (B, d), computed by a service that sees neither.

    Parameters
    ----------
    scoring_uri
        Address of the script, ending in ``/score``.
    public_keys
        The container that the service reads public keys from, with the right to write.
    X
        Samples, as the model's signature has them.
    token
        What the service asks callers for, if it does.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with httpx.Client(headers=headers, timeout=60) as http:
        signature = Signature.from_bytes(http.get(scoring_uri).raise_for_status().content)
        client = Client(signature)  # makes the keys; the secret one never leaves it
        public_keys.upload_blob(client.public_key.id, client.public_key.to_bytes())
        answer = http.post(scoring_uri, content=client.encrypt(X).to_bytes()).raise_for_status()
    return client.predict(Result.from_bytes(answer.content, signature))
