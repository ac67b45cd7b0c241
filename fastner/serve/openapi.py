"""The service's OpenAPI document, with the labels of its model and its limits."""

from __future__ import annotations

from typing import Any, get_args

from fastner.serve.requests import MAX_NBEST
from fastner.serve.settings import Settings
from fastner.text import Lines
from fastner.version import __version__

ERRORS = {
    400: "The body is no JSON in UTF-8.",
    408: "The body did not arrive within the time limit.",
    413: "The body is larger than the limit.",
    415: "The body is not declared as application/json, or is compressed.",
    422: "The JSON is not what was expected.",
    429: "Too much waits to be tagged; try again after Retry-After seconds.",
    500: "The service failed; its log has the request id.",
    503: "The service is stopping.",
    504: "The texts were not tagged within the time limit.",
}


def document(labels: list[str], settings: Settings) -> dict[str, Any]:
    """OpenAPI 3.1, ready for JSON. labels: those that entities may have."""
    flag = {"type": "boolean", "default": False}
    options = {
        "scores": {**flag, "description": "give each entity its probability"},
        "tokens": {**flag, "description": "give the tokens, with IOB2 tags"},
        "html": {**flag, "description": "texts are HTML: step over its tags"},
        "document": {**flag, "description": "read names alike within each text"},
        "nbest": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_NBEST,
            "description": "give so many taggings of each sentence",
        },
        "lines": {
            "enum": list(get_args(Lines)),
            "default": "auto",
            "description": "what the lines of a text are: sentences, each for itself; wrapped, "
            "going on from line to line; or auto, which tells block by block",
        },
    }

    def asking(name: str, what: dict[str, Any]) -> dict[str, Any]:
        return _object({name: what, **options}, required=[name]) | {"additionalProperties": False}

    text = {"type": "string"}
    offset = {"type": "integer", "minimum": 0}
    start = {**offset, "description": "first character: Unicode code points, from 0"}
    end = {**offset, "description": "the character behind the last one"}
    schemas: dict[str, Any] = {
        "OneText": asking("text", text),
        "ManyTexts": asking(
            "texts", {"type": "array", "items": text, "maxItems": settings.max_texts}
        ),
        "Entity": _object(
            {
                "text": text,
                "label": {"enum": labels},
                "start": start,
                "end": end,
                "score": {"type": "number", "minimum": 0, "maximum": 1},
            },
            required=["text", "label", "start", "end"],
        ),
        "Token": _object(
            {
                "text": text,
                "start": start,
                "end": end,
                "tag": {"type": "string", "examples": ["O", *(f"B-{x}" for x in labels[:1])]},
                "sentence": {**offset, "description": "which sentence of the text, from 0"},
                "markup": {"type": "boolean", "description": "whether the model steps over it"},
            }
        ),
        "Tagging": _object(
            {
                "probability": {"type": "number", "minimum": 0, "maximum": 1},
                "tags": {"type": "array", "items": text, "description": "one for each token"},
            }
        ),
        "Tagged": _object(
            {
                "entities": {"type": "array", "items": _ref("Entity")},
                "tokens": {"type": "array", "items": _ref("Token")},
                "nbest": {
                    "type": "array",
                    "description": "for each sentence its taggings, the most probable first, "
                    "before the edges of entities are mended",
                    "items": {"type": "array", "items": _ref("Tagging")},
                },
            },
            required=["entities"],
        ),
        "Results": _object({"results": {"type": "array", "items": _ref("Tagged")}}),
        "Error": _object(
            {
                "error": {"type": "string", "description": "the whole of it as a sentence"},
                "where": {"type": "string", "examples": ["texts[3]"]},
                "expected": {"type": "string"},
                "got": {"type": "string"},
                "request_id": {"type": "string"},
            }
        ),
    }
    error = {"content": _json(_ref("Error"))}
    body = {"oneOf": [_ref("OneText"), _ref("ManyTexts")]}
    tagged = {"oneOf": [_ref("Tagged"), _ref("Results")]}
    request_id = {
        "name": "X-Request-ID",
        "in": "header",
        "description": "1 to 128 of A-Z a-z 0-9 . _ -, sent back with the answer; else one is made",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
    }
    tag = {
        "operationId": "tag",
        "summary": "The entities of one text, or of several",
        "description": f"A body has at most {settings.max_body:,} bytes. `text` is answered by "
        f"its result, `texts` by `results` in their order. An answer takes at most "
        f"{settings.timeout:g} seconds.",
        "parameters": [request_id],
        "requestBody": {"required": True, "content": _json(body)},
        "responses": {
            "200": {"description": "The entities, in order of the text.", "content": _json(tagged)}
        }
        | {str(status): {"description": text, **error} for status, text in ERRORS.items()},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "fastner",
            "version": __version__,
            "description": "Named entities of texts.",
        },
        "paths": {
            "/tag": {"post": tag},
            "/health": _get("health", "Whether the service is ready, and what it runs", _json({})),
            "/metrics": _get(
                "metrics",
                "Counters of this process for Prometheus",
                {"text/plain": {"schema": text}},
            ),
            "/openapi.json": _get("openapi", "This document", _json({})),
        },
        "components": {"schemas": schemas},
    }


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    names = list(properties) if required is None else required
    return {"type": "object", "properties": properties, "required": names}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _get(name: str, summary: str, content: dict[str, Any]) -> dict[str, Any]:
    answer = {"description": summary, "content": content}
    return {"get": {"operationId": name, "summary": summary, "responses": {"200": answer}}}
