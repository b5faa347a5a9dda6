"""Holds an answer or a request against an OpenAPI 2 file: the official description of the service.

The service itself is not exact in three ways, which is why enumerations are compared without case, 64-bit
integers may be strings, and `odata.*` members may stand anywhere. Any other unknown member is a finding.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

_NEWER = (
    r"^(diskEncryptionSet|ipFamilies|ipTags|ipv6Address|ipv6RemoteLoginIPAddress|ipv6RemoteLoginPort"
    r"|jobDefaultOrder|managedDisk|proxyAgentSettings)$"
)
"""Members that came with api-version 2025-06-01: a description of the one before does not have them."""


class Description:
    """The operations and definitions of one file."""

    def __init__(self, file: Path) -> None:
        self._document = json.loads(file.read_text(encoding="utf-8"))
        self._definitions = {
            name: _schema(definition) for name, definition in self._document["definitions"].items()
        }
        self._operations = [
            (_pattern(path), method.upper(), operation)
            for path, methods in self._document["paths"].items()
            for method, operation in methods.items()
            if isinstance(operation, dict) and "responses" in operation
        ]
        # Fixed segments before placeholders, so that /jobs/{id}/terminate is not a task's path.
        self._operations.sort(
            key=lambda one: one[0].pattern.count("[^/]+") + 10 * one[0].pattern.count("(.+)")
        )

    def findings(self, method: str, path: str, status: int, body: Any) -> list[str]:
        """What the description does not allow in this answer; empty when all is well."""
        operation = self._operation(method, path)
        if operation is None:
            return [f"no operation {method} {path}"]
        answers = operation["responses"]
        if str(status) not in answers and status < 400:
            return [f"{status} is not one of {sorted(answers)}"]
        answer = answers.get(str(status)) or answers["default"]
        if "schema" not in answer or _is_file(answer["schema"]):
            return [] if body is None else ["a body where none belongs"]
        if body is None:
            return [] if method == "HEAD" else ["no body"]
        return self._errors(answer["schema"], body)

    def findings_in_request(self, method: str, path: str, body: Any) -> list[str]:
        """What the description does not allow in this request's body; empty when all is well."""
        operation = self._operation(method, path)
        if operation is None:
            return [f"no operation {method} {path}"]
        bodies = [parameter for parameter in operation["parameters"] if parameter.get("in") == "body"]
        if not bodies:
            return [] if body is None else ["a body where none belongs"]
        return self._errors(bodies[0]["schema"], body)

    def _operation(self, method: str, path: str) -> Any:
        return next((one[2] for one in self._operations if one[1] == method and one[0].fullmatch(path)), None)

    def _errors(self, schema: Any, body: Any) -> list[str]:
        validator = self._validator(json.dumps(schema, sort_keys=True))
        return [
            f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
            for error in validator.iter_errors(body)
        ]

    @cache  # noqa: B019 - one description lives as long as the tests
    def _validator(self, schema: str) -> Draft7Validator:
        return Draft7Validator({"allOf": [_schema(json.loads(schema))], "definitions": self._definitions})


def _is_file(schema: Any) -> bool:
    return "file" in (schema.get("type"), schema.get("format"))


def _pattern(path: str) -> re.Pattern[str]:
    parts = [
        "(.+)" if part == "{filePath}" else "[^/]+" if part.startswith("{") else re.escape(part)
        for part in path.split("/")
    ]
    return re.compile("/".join(parts))


def _schema(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": f"#/definitions/{schema['$ref'].rsplit('/', 1)[-1]}"}
    kept = {key: value for key, value in schema.items() if key in ("type", "required", "items", "allOf")}
    if "enum" in schema:
        kept["pattern"] = f"(?i)^({'|'.join(map(re.escape, schema['enum']))})$"
    if schema.get("type") in ("integer", "number"):
        return {"anyOf": [{"type": schema["type"]}, {"type": "string", "pattern": r"^-?\d+(\.\d+)?$"}]}
    if "items" in kept:
        kept["items"] = _schema(kept["items"])
    if "allOf" in kept:
        kept["allOf"] = [_schema(part) for part in kept["allOf"]]
    if "properties" in schema:
        kept["properties"] = {name: _schema(value) for name, value in schema["properties"].items()}
        kept["patternProperties"] = {r"^odata\.": {}, _NEWER: {}}
        kept["additionalProperties"] = False
    return kept
