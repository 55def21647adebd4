"""The HTTP headers of a request: their values, their agreement with the body, and the ones that are forwarded.

Rule 1: `lines` reads them, `agreement` compares them with the message, `parameters` with the arguments of a tool.
"""

from gateway.protocol.headers.agreement import Agreed, agree, agree_stream
from gateway.protocol.headers.lines import (
    Headers,
    decode_value,
    encode_value,
    forwardable,
    read_headers,
    trace_id_of,
    unpostable,
    unstreamable,
)
from gateway.protocol.headers.parameters import Parameter, agree_parameters, parameters_of

__all__ = [
    "Agreed",
    "Headers",
    "Parameter",
    "agree",
    "agree_parameters",
    "agree_stream",
    "decode_value",
    "encode_value",
    "forwardable",
    "parameters_of",
    "read_headers",
    "trace_id_of",
    "unpostable",
    "unstreamable",
]
