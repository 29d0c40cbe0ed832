"""TLS to a destination: the server always verified, and a certificate of our own where it asks for one."""

from __future__ import annotations

import ssl

from auditor.errors import UsageError
from auditor.model import shown


def tls_context(
    name: str, ca_file: str | None, cert_file: str | None = None, key_file: str | None = None
) -> ssl.SSLContext:
    """Return the context of every connection to a destination, which verifies the server.

    :param ca_file: the authorities to trust in place of the system's.
    :param cert_file: our own certificate, with those that it was issued by.
    :param key_file: its key; None where it stands in `cert_file`.
    :raises UsageError: where one of these can't be used.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # of which ssl.SSLError is one
        why = "holds no certificate in PEM" if isinstance(error, ssl.SSLError) else error.strerror
        raise UsageError(
            f"destination {name}: ca_file {shown(ca_file or '')}: {why}; name a file of certificates in PEM"
        ) from error
    if cert_file is not None:
        _add_own(context, name, cert_file, key_file)
    elif key_file is not None:
        raise UsageError(f"destination {name}: key_file stands without cert_file; name both, or neither")
    return context


def _add_own(context: ssl.SSLContext, name: str, cert_file: str, key_file: str | None) -> None:
    files = f"cert_file {shown(cert_file)}" + (f" with key_file {shown(key_file)}" if key_file else "")
    try:
        # Without a password of ours OpenSSL would ask for one on the terminal.
        context.load_cert_chain(cert_file, key_file, password="")
    except OSError as error:
        unusable = "hold no certificate in PEM with its key, without a password"
        why = unusable if isinstance(error, ssl.SSLError) else error.strerror
        raise UsageError(f"destination {name}: {files}: {why}; name files that do") from error
