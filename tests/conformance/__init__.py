"""Worked cases of HTTP/JSON transcoding, each held against a real gateway before a real backend.

`transcoding_cases.jsonl` and `own_cases.jsonl` have one case a line, `schemas.json` their message shapes:

    rule, rule_set         the google.api.http rule of the method, or several, each of a method of its own;
                           additional: further rules of the method of `rule`
    expect_rule            the rule that must win
    schema                 a key of schemas.json; its fields are `[optional|repeated] T[@o][|json=n]`, where
                           `@o` is a oneof, or `map<K,V>`; T is a scalar, a message or `enum:E`
    request_type           names of messages; without reply_type the reply is empty
    request                method, raw path and query, headers, body or body_b64
    upstream               what the backend does: reply, stream, error, metadata, trailers, echo, delay_s,
                           down
    expect_grpc_json       the request the backend gets; a list for a client stream
    expect_http            status or status_one_of, headers, body, body_text, body_b64, body_contains, ndjson,
                           upstream_deadline_s_max; `register: rejected` is a rule that cannot be served
    note                   why; `[streaming: ...]` and `[options: ...]` say what a case needs
"""
