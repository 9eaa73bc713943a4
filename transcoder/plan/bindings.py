"""From a binding to the plan of a method: what is encoded, called, decoded and answered."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Executor
from typing import Final

from transcoder.codec import BindingError, Codec, JsonOptions
from transcoder.config.model import Config, JsonConfig
from transcoder.context import Calls
from transcoder.errors import ErrorShape, gateway_shape, google_shape
from transcoder.plan.conversation import compile_conversation
from transcoder.plan.plan import MethodPlan
from transcoder.plan.reply import compile_refuse, compile_respond
from transcoder.plan.stream import StreamMethod, compile_stream
from transcoder.plan.unary import compile_unary
from transcoder.routing.template import Template
from transcoder.schema.rules import Binding
from transcoder.schema.schema import Schema

ERROR_SHAPES: Final[Mapping[str, ErrorShape]] = {"gateway": gateway_shape, "google": google_shape}
"""By `errors.format`."""


class UnservableError(ValueError):
    """A binding that cannot be served; says why."""


class BindingCompiler:
    """Compiles bindings to the methods of one schema; their messages share a codec.

    max_message_size: bytes of one message of a request stream; thread: where big messages are coded.
    """

    def __init__(
        self, schema: Schema, config: Config, calls: Calls, max_message_size: int, thread: Executor | None
    ) -> None:
        self.schema = schema
        self._thread = thread
        self._calls = calls
        self._max_message_size = max_message_size
        self._codecs: dict[JsonOptions, Codec] = {}
        codec = self._codec(config.json_options)
        shape = ERROR_SHAPES[config.errors.format]
        self._as_record = _wrapped if shape is google_shape else bytes
        self._refuse = compile_refuse(shape, codec.status_details, codec.retry_delay)

    @property
    def codecs(self) -> Collection[Codec]:
        """One for each set of JSON options, for the errors' too."""
        return self._codecs.values()

    def compile(self, binding: Binding, template: Template, json: JsonConfig) -> MethodPlan:
        """The plan of a binding. Raises UnservableError."""
        variables = (variable.field_path for variable in template.variables)
        path_fields = tuple(self._path_field(binding, variable) for variable in variables)
        try:
            return self._plan(binding, path_fields, self._codec(json))
        except BindingError as error:
            raise UnservableError(str(error)) from error

    def _codec(self, json: JsonConfig) -> Codec:
        options = JsonOptions(**json.model_dump())
        if options not in self._codecs:
            self._codecs[options] = Codec(self.schema.shapes, options)
        return self._codecs[options]

    def _plan(self, binding: Binding, path_fields: tuple[str | None, ...], codec: Codec) -> MethodPlan:
        method = binding.method
        first, later = (
            codec.request_encoder(
                method.request, http_method=binding.http_method, body=binding.body, path_fields=fields
            )
            for fields in (path_fields, ())
        )
        decode = codec.response_decoder(method.response, response_body=binding.response_body)
        has_body, respond = binding.body is not None, compile_respond(decode)
        if method.streaming == "unary":
            exchange = compile_unary(
                encode=first,
                has_body=has_body,
                call=self._calls.unary(method.path, is_retried=binding.is_retried),
                respond=respond,
                refuse=self._refuse,
                thread=self._thread,
            )
            return MethodPlan(binding=binding, path_fields=path_fields, json=codec.options, exchange=exchange)
        streams = StreamMethod(
            client_streaming=method.client_streaming,
            server_streaming=method.server_streaming,
            first=first,
            later=later,
            decode=decode,
            has_body=has_body,
            is_raw_request=codec.is_http_body(method.request, binding.body),
            is_raw_response=codec.is_http_body(method.response, binding.response_body),
            max_size=self._max_message_size,
            open_stream=self._calls.stream(method.path, is_retried=binding.is_retried),
            respond=respond,
            refuse=self._refuse,
            as_record=self._as_record,
            thread=self._thread,
        )
        return MethodPlan(
            binding=binding,
            path_fields=path_fields,
            json=codec.options,
            exchange=compile_stream(streams),
            converse=compile_conversation(streams),
        )

    def _path_field(self, binding: Binding, variable: str) -> str | None:
        """The request field a path variable binds. In a configured route it may bind none."""
        if variable in binding.params:
            return binding.params[variable]
        request = self.schema.shapes.message(binding.method.request)
        if binding.origin == "config" and request.field(variable.partition(".")[0]) is None:
            return None
        return variable


def _wrapped(error: bytes) -> bytes:
    return b'{"error":' + error + b"}"


def notes_on(plan: MethodPlan, template: Template) -> Iterator[str]:
    """What an operator should know about a binding that works."""
    binding = plan.binding
    variables = [variable.field_path for variable in template.variables]
    for variable, field in zip(variables, plan.path_fields, strict=True):
        if field is None:
            request = binding.method.request
            yield f"path variable {variable!r} names no field of {request}: sent as metadata only"
    for unknown in sorted(binding.params.keys() - set(variables)):
        yield f"params names {unknown!r}, which is no variable of {binding.template}"
