"""JSON <-> protobuf: requests compiled straight to wire bytes, responses printed as ProtoJSON."""

from transcoder.codec.binding import BindingError
from transcoder.codec.codec import Codec
from transcoder.codec.decode import ResponseDecoder
from transcoder.codec.encode import RequestEncoder
from transcoder.codec.options import JsonOptions

__all__ = ["BindingError", "Codec", "JsonOptions", "RequestEncoder", "ResponseDecoder"]
