"""A real issuer of tokens for tests: keys, a web server that publishes them, and tokens signed with them."""

import base64
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import get_default_algorithms

AUDIENCE = "crm"


@dataclass
class LocalIssuer:
    """Serves on a port of its own. `keys` are those that it publishes, by name: (algorithm, private key)."""

    keys: dict[str, tuple[str, Any]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    broken: bool = False
    answers: threading.Event = field(default_factory=threading.Event)
    """Cleared, it takes requests and says nothing."""

    def __post_init__(self) -> None:
        issuer = self
        self.answers.set()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.requests.append(self.path)
                issuer.answers.wait()
                if issuer.broken:
                    self.send_error(503)
                    return
                body = json.dumps(issuer.answer(self.path)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.name = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str) -> Mapping[str, Any]:
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.name, "jwks_uri": f"{self.name}/keys"}
        return {"keys": [self.public(name) for name in self.keys]}

    def public(self, name: str) -> dict[str, Any]:
        algorithm, key = self.keys[name]
        found = get_default_algorithms()[algorithm].to_jwk(key.public_key(), as_dict=True)
        return {**found, "kid": name, "alg": algorithm, "use": "sig"}

    def pem(self, name: str) -> bytes:
        public: bytes = (
            self.keys[name][1].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        return public

    def token(self, name: str, claims: Mapping[str, Any], *, key: Any = None, algorithm: str = "") -> str:
        own, private = self.keys.get(name, (algorithm, key))
        return jwt.encode(dict(claims), key or private, algorithm=algorithm or own, headers={"kid": name})


def new_key(algorithm: str) -> tuple[str, Any]:
    """An algorithm's name and a private key for it."""
    if algorithm.startswith(("RS", "PS")):
        return algorithm, rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if algorithm == "ES256":
        return algorithm, ec.generate_private_key(ec.SECP256R1())
    return algorithm, ed25519.Ed25519PrivateKey.generate()


def by_hand(header: Mapping[str, Any], claims: Mapping[str, Any], signature: bytes = b"") -> str:
    """A token as libraries refuse to make it."""
    parts = [json.dumps(part).encode() for part in (header, claims)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (*parts, signature))
