"""JSON <-> protobuf: requests compiled straight to wire bytes, responses printed as ProtoJSON."""

from transcoder.codec.codec import Codec
from transcoder.codec.options import JsonOptions
from transcoder.codec.parsing.binding import BindingError
from transcoder.codec.parsing.encode import RequestEncoder
from transcoder.codec.printing.response import ResponseDecoder

__all__ = ["BindingError", "Codec", "JsonOptions", "RequestEncoder", "ResponseDecoder"]
