"""Asks the service in this container whether it is alive; exit code 0 or 1. Copied into the image: imports no other."""

from __future__ import annotations

import os
import ssl
import sys
import urllib.error
import urllib.request

_SECONDS = 4


def is_alive() -> bool:
    """Whether ``/healthz`` of the port that the environment names answers 200.

    The certificate is not checked: it names the public host, and the connection never leaves this machine.
    """
    scheme = "https" if os.environ.get("HERMETIC_TLS_CERTIFICATE") else "http"
    port = os.environ.get("HERMETIC_PORT", "").strip()  # Kubernetes may put tcp://… there, which is no setting
    url = f"{scheme}://127.0.0.1:{port if port.isdecimal() else 8000}/healthz"
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with direct.open(url, timeout=_SECONDS) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


if __name__ == "__main__":
    sys.exit(0 if is_alive() else 1)
