"""Backups in a bucket that speaks S3: Amazon's, Cloudflare's R2, MinIO and the like.

Written in parts of equal size, of which one at a time is in memory. To write, the credential needs `s3:PutObject` and
`s3:AbortMultipartUpload` alone; a second one may read.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from advancia.config import BackupSettings
from advancia.ops.backups.errors import NotAllowed, PartMissing, StoreTrouble

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

PART_BYTES = 16 * 1024 * 1024
MOST_PARTS = 10_000  # the protocol's limit, whatever their size
FORBIDDEN = {
    "AccessDenied",
    "403",
    "Forbidden",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "AllAccessDisabled",
}
MISSING = {"NoSuchKey", "404", "NotFound"}

T = TypeVar("T")


class BucketStore:
    """The parts are objects below a prefix."""

    def __init__(self, address: str, settings: BackupSettings, *, reading: bool = False) -> None:
        self.address = address
        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        self.bucket = bucket
        self.prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._client = _client(settings, reading=reading)

    def place(self, name: str) -> dict[str, str]:
        """How the protocol names a part."""
        return {"Bucket": self.bucket, "Key": self.prefix + name}

    def sink(self, name: str, *, expected_bytes: int = 0) -> BucketSink:
        part_bytes = max(PART_BYTES, 2 * expected_bytes // MOST_PARTS)
        return BucketSink(self, name, part_bytes)

    def open(self, name: str) -> BucketSource:
        with self.asked():
            return BucketSource(self, self._client.get_object(**self.place(name))["Body"])

    def delete(self, name: str) -> None:
        with self.asked():
            self._client.delete_object(**self.place(name))

    def sweep(self) -> list[str]:
        """What a credential that only writes may not see is left to the bucket's own rule."""
        swept = []
        with suppress(NotAllowed), self.asked():
            pages = self._client.get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix):
                for upload in page.get("Uploads", ()):
                    self._client.abort_multipart_upload(
                        Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                    )
                    swept.append(upload["Key"])
        return swept

    def call(self, action: str, **words: Any) -> Any:
        """Ask the bucket for something. Raises `StoreTrouble`."""
        method: Callable[..., Any] = getattr(self._client, action)
        with self.asked():
            return method(**words)

    @contextmanager
    def asked(self) -> Iterator[None]:
        """Tell what the bucket or the way to it refuses in our own errors."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - costs the start 100 ms

        try:
            yield
        except ClientError as refusal:
            raise self._refused(refusal) from refusal
        except BotoCoreError as trouble:
            raise StoreTrouble(f"The bucket {self.bucket} cannot be reached: {trouble}.") from trouble

    def _refused(self, refusal: ClientError) -> StoreTrouble:
        told = refusal.response.get("Error", {})
        code, message = str(told.get("Code", "")), told.get("Message") or "no reason given"
        if code in MISSING:
            return PartMissing(f"The bucket {self.bucket} does not have that part.")
        if code in FORBIDDEN:
            return NotAllowed(f"The bucket {self.bucket} refuses our credential ({code}): {message}.")
        return StoreTrouble(f"The bucket {self.bucket} refuses ({code}): {message}.")


class BucketSink:
    """An upload in parts; the object appears when it is completed."""

    def __init__(self, store: BucketStore, name: str, part_bytes: int) -> None:
        self._store = store
        self._place = store.place(name)
        self._part_bytes = part_bytes
        self._waiting = bytearray()
        self._parts: list[dict[str, Any]] = []
        self._place["UploadId"] = store.call("create_multipart_upload", **self._place)["UploadId"]

    def write(self, piece: bytes, /) -> int:
        self._waiting += piece
        while len(self._waiting) >= self._part_bytes:
            self._send(self._part_bytes)
        return len(piece)

    def complete(self) -> None:
        if self._waiting or not self._parts:
            self._send(len(self._waiting))
        self._store.call("complete_multipart_upload", **self._place, MultipartUpload={"Parts": self._parts})

    def abort(self) -> None:
        with suppress(StoreTrouble):  # what is left is swept by the next backup, or by the bucket's own rule
            self._store.call("abort_multipart_upload", **self._place)

    def _send(self, size: int) -> None:
        number = len(self._parts) + 1
        with memoryview(self._waiting) as waiting:
            body = bytes(waiting[:size])
        del self._waiting[:size]
        # A bucket that locks its objects takes no part without this sum.
        told = b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        sent = self._store.call("upload_part", **self._place, PartNumber=number, Body=body, ContentMD5=told)
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"]})


class BucketSource:
    """An object as it comes over the network."""

    def __init__(self, store: BucketStore, body: Any) -> None:
        self._store = store
        self._body = body

    def read(self, size: int = -1, /) -> bytes:
        with self._store.asked():
            piece: bytes = self._body.read(None if size < 0 else size)
            return piece

    def close(self) -> None:
        self._body.close()


def _client(settings: BackupSettings, *, reading: bool) -> Any:
    import boto3  # noqa: PLC0415 - costs the start half a second, and few processes ever need it
    from botocore.config import Config  # noqa: PLC0415 - as above

    has_reader = reading and settings.s3_read_key_id is not None
    return boto3.session.Session().client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        region_name=settings.s3_region,
        aws_access_key_id=settings.s3_read_key_id if has_reader else settings.s3_key_id,
        aws_secret_access_key=settings.s3_read_secret if has_reader else settings.s3_secret,
        config=Config(
            connect_timeout=10,
            read_timeout=60,
            retries={"total_max_attempts": 4, "mode": "standard"},
            # Not every server of this protocol knows the newer sums; ours is in the manifest.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
