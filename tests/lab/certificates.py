"""Certificates as a Proxmox VE node has them: an own authority and a leaf that is renewed."""

from dataclasses import dataclass
import datetime
import hashlib
import ipaddress
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_CLOCK_SLACK = datetime.timedelta(days=1)
_CA_LIFE = datetime.timedelta(days=3650)
_LEAF_LIFE = datetime.timedelta(days=730)
_CA_USAGE = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """One certificate with its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        """The certificate in PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> bytes:
        """The private key in PEM, unencrypted."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    @property
    def fingerprint(self) -> str:
        """The SHA-256 fingerprint as Proxmox writes it: upper case, colons."""
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        return hashlib.sha256(der).digest().hex(":").upper()


class NodeCertificates:
    """The certificate store of one node, served by `/nodes/N/certificates/info`.

    The authority has no keyUsage unless asked for, as on nodes installed before spring 2026: a
    client that keeps VERIFY_X509_STRICT fails against it (reference/protocols.md 1.5).
    """

    def __init__(
        self,
        directory: Path,
        *,
        node: str = "pve",
        hosts: tuple[str, ...] = ("127.0.0.1", "localhost"),
        modern_authority: bool = False,
    ) -> None:
        """Make the authority and the first leaf in an existing directory."""
        self._directory = directory
        self._node = node
        self._hosts = hosts
        self._modern = modern_authority
        self.authority = self._new_authority()
        self.leaf = self._new_leaf()
        self.custom: Signed | None = None

    @property
    def served(self) -> Signed:
        """The certificate that the node shows to its clients."""
        return self.custom or self.leaf

    def renew_leaf(self) -> None:
        """Issue a new leaf under the same authority, as `pveupdate` does."""
        self.leaf = self._new_leaf()

    def replace_authority(self) -> None:
        """Make another authority and a leaf of it, as a reinstalled node has."""
        self.authority = self._new_authority()
        self.leaf = self._new_leaf()

    def use_self_signed(self) -> None:
        """Serve a certificate that no authority of the node signed (pveproxy-ssl.pem)."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(f"{self._node}.custom", "Somebody else")
        builder = self._leaf_builder(name, key).issuer_name(name)
        self.custom = Signed(certificate=builder.sign(key, hashes.SHA256()), key=key)

    def write(self) -> tuple[str, str]:
        """Write what is served to files; return the paths of certificate and key."""
        certificate, key = self._directory / "served.pem", self._directory / "served.key"
        certificate.write_text(self.served.pem)
        key.touch(mode=0o600)
        key.write_bytes(self.served.key_pem)
        return str(certificate), str(key)

    def info(self) -> list[dict[str, Any]]:
        """Return the answer of `/nodes/N/certificates/info`."""
        files = {"pve-root-ca.pem": self.authority, "pve-ssl.pem": self.leaf}
        if self.custom:
            files["pveproxy-ssl.pem"] = self.custom
        return [_describe(filename, signed) for filename, signed in files.items()]

    def _new_authority(self) -> Signed:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Proxmox Virtual Environment", "PVE Cluster Manager CA")
        builder = (
            _builder(name, key, _CA_LIFE)
            .issuer_name(name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        )
        if self._modern:
            builder = builder.add_extension(_CA_USAGE, critical=True)
        return Signed(certificate=builder.sign(key, hashes.SHA256()), key=key)

    def _new_leaf(self) -> Signed:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._leaf_builder(_name(f"{self._node}.lab", "Proxmox VE"), key)
        builder = builder.issuer_name(self.authority.certificate.subject)
        return Signed(certificate=builder.sign(self.authority.key, hashes.SHA256()), key=key)

    def _leaf_builder(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey
    ) -> x509.CertificateBuilder:
        names = x509.SubjectAlternativeName([_alternative(host) for host in self._hosts])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        return (
            _builder(name, key, _LEAF_LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(names, critical=False)
            .add_extension(usage, critical=False)
        )


def _name(common_name: str, organization: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
        ]
    )


def _builder(
    name: x509.Name, key: ec.EllipticCurvePrivateKey, life: datetime.timedelta
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SLACK)
        .not_valid_after(now + life)
    )


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _describe(filename: str, signed: Signed) -> dict[str, Any]:
    certificate = signed.certificate
    found = {
        "filename": filename,
        "fingerprint": signed.fingerprint,
        "issuer": f"/{certificate.issuer.rfc4514_string().replace(',', '/')}",
        "notafter": int(certificate.not_valid_after_utc.timestamp()),
        "notbefore": int(certificate.not_valid_before_utc.timestamp()),
        "pem": signed.pem,
        "public-key-bits": signed.key.key_size,
        "public-key-type": "id-ecPublicKey",
        "subject": f"/{certificate.subject.rfc4514_string().replace(',', '/')}",
    }
    if filename != "pve-root-ca.pem":
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found["san"] = [str(name.value) for name in names]
    return found
