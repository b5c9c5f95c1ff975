"""An independent oracle for real OpenTelemetry data.

It restates the data model (columns.md, ingest.md, trajectory.md and the
mapping of conventions) in the slowest and most obvious way that works, and
shares nothing with the C code: when the two disagree, one of them has
misread the page.

    oracle.py [FOLDER]    prints what it makes of every file of the folder
"""
import base64
import binascii
import gzip
import hashlib
import json
import math
import os
import re
import struct
import sys
from collections import defaultdict
from datetime import datetime
from decimal import Decimal, InvalidOperation

# ---------------------------------------------------------------------------
# The wire: one table of the messages drives the JSON reader, the protobuf
# reader and the protobuf writer. A message becomes a dict by field name.
# ---------------------------------------------------------------------------

MANY = True
SCHEMA = {
    'Request': {'resource_spans': (1, 'ResourceSpans', MANY)},
    'ResourceSpans': {'resource': (1, 'Resource'),
                      'scope_spans': (2, 'ScopeSpans', MANY),
                      'schema_url': (3, 'string')},
    'Resource': {'attributes': (1, 'KeyValue', MANY),
                 'dropped_attributes_count': (2, 'uint')},
    'ScopeSpans': {'scope': (1, 'Scope'), 'spans': (2, 'Span', MANY),
                   'schema_url': (3, 'string')},
    'Scope': {'name': (1, 'string'), 'version': (2, 'string'),
              'attributes': (3, 'KeyValue', MANY),
              'dropped_attributes_count': (4, 'uint')},
    'Span': {'trace_id': (1, 'id'), 'span_id': (2, 'id'),
             'trace_state': (3, 'string'), 'parent_span_id': (4, 'id'),
             'name': (5, 'string'), 'kind': (6, 'enum'),
             'start_time_unix_nano': (7, 'fixed64'),
             'end_time_unix_nano': (8, 'fixed64'),
             'attributes': (9, 'KeyValue', MANY),
             'dropped_attributes_count': (10, 'uint'),
             'events': (11, 'Event', MANY),
             'dropped_events_count': (12, 'uint'),
             'links': (13, 'Link', MANY), 'dropped_links_count': (14, 'uint'),
             'status': (15, 'Status'), 'flags': (16, 'fixed32')},
    'Event': {'time_unix_nano': (1, 'fixed64'), 'name': (2, 'string'),
              'attributes': (3, 'KeyValue', MANY),
              'dropped_attributes_count': (4, 'uint')},
    'Link': {'trace_id': (1, 'id'), 'span_id': (2, 'id'),
             'trace_state': (3, 'string'),
             'attributes': (4, 'KeyValue', MANY),
             'dropped_attributes_count': (5, 'uint'), 'flags': (6, 'fixed32')},
    'Status': {'message': (2, 'string'), 'code': (3, 'enum')},
    'KeyValue': {'key': (1, 'string'), 'value': (2, 'AnyValue')},
    'AnyValue': {'string_value': (1, 'string'), 'bool_value': (2, 'bool'),
                 'int_value': (3, 'int64'), 'double_value': (4, 'double'),
                 'array_value': (5, 'ArrayValue'),
                 'kvlist_value': (6, 'KeyValueList'),
                 'bytes_value': (7, 'bytes')},
    'ArrayValue': {'values': (1, 'AnyValue', MANY)},
    'KeyValueList': {'values': (1, 'KeyValue', MANY)},
}
ENUMS = {name: number for names in (
    ('SPAN_KIND_UNSPECIFIED', 'SPAN_KIND_INTERNAL', 'SPAN_KIND_SERVER',
     'SPAN_KIND_CLIENT', 'SPAN_KIND_PRODUCER', 'SPAN_KIND_CONSUMER'),
    ('STATUS_CODE_UNSET', 'STATUS_CODE_OK', 'STATUS_CODE_ERROR'))
    for number, name in enumerate(names)}
SPAN_KINDS = ('unspecified', 'internal', 'server', 'client', 'producer',
              'consumer')
STATUSES = ('unset', 'ok', 'error')
INT64 = range(-2 ** 63, 2 ** 63)


def camel(name):
    """start_time_unix_nano → startTimeUnixNano."""
    head, *tail = name.split('_')
    return head + ''.join(word.capitalize() for word in tail)


def read_id(text):
    """Hex in either case, 0x before it, or base64; b'' when malformed.

    ingest.md, "ids": 8 bytes are 16 digits or 11 characters of base64, 16
    bytes are 32 digits or 22; no length is both.
    """
    text = text or ''
    digits = text[2:] if text[:2] in ('0x', '0X') else text
    try:
        if re.fullmatch('([0-9a-fA-F]{16}){0,2}', digits):
            return bytes.fromhex(digits)
        plain = text.rstrip('=').replace('-', '+').replace('_', '/')
        if len(plain) in (11, 22):
            return base64.b64decode(plain + '=' * (-len(plain) % 4))
    except (ValueError, binascii.Error):
        pass
    return b''


def read_int(value):
    """An integer of JSON: a number or a string; a float outside int64."""
    if isinstance(value, str):
        value = float(value) if re.search('[.eE]', value) else int(value)
    if isinstance(value, float) and value.is_integer() \
            and int(value) in INT64:
        return int(value)
    return value


def json_scalar(value, kind):
    """One JSON value as the Python value of a wire type."""
    if kind == 'id':
        return read_id(value)
    if kind == 'bytes':
        return base64.b64decode(value)
    if kind == 'enum':
        return ENUMS[value] if isinstance(value, str) \
            and not value.isdigit() else int(value)
    if kind == 'double':
        return float(value)          # "NaN" and "Infinity" are accepted
    if kind in ('uint', 'fixed64', 'fixed32', 'int64'):
        return read_int(value)
    return value


def from_json(value, message):
    """A JSON object as a dict by field name, camelCase or snake_case."""
    out = {}
    for name, (_, kind, *many) in SCHEMA[message].items():
        item = value.get(camel(name), value.get(name))
        if item is None:             # null is absent: the empty value
            continue
        if kind in SCHEMA:
            out[name] = ([from_json(x or {}, kind) for x in item] if many
                         else from_json(item, kind))
        else:
            out[name] = json_scalar(item, kind)
    if message == 'AnyValue' and isinstance(out.get('int_value'), float):
        out['double_value'] = out.pop('int_value')    # 1.79e308 as intValue
    return out


def read_json(text):
    """One ExportTraceServiceRequest of JSON (bytes or str)."""
    if isinstance(text, bytes):
        text = text.decode('utf-8', 'replace')
    return from_json(json.loads(text), 'Request')


def read_varint(data, at):
    """A base-128 integer and the offset after it."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value & (2 ** 64 - 1), at


def wire_scalar(raw, kind):
    """A raw wire value as the Python value of a wire type."""
    if kind == 'string':
        return raw.decode('utf-8', 'replace')
    if kind == 'double':
        return struct.unpack('<d', struct.pack('<Q', raw))[0]
    if kind == 'bool':
        return bool(raw)
    if kind in ('int64', 'enum') and raw >= 2 ** 63:
        return raw - 2 ** 64
    return raw


def read_protobuf(data, message='Request'):
    """One protobuf message as a dict; unknown fields are skipped."""
    fields = {number: (name, kind, many) for name, (number, kind, *many)
              in SCHEMA[message].items()}
    out, at = {}, 0
    while at < len(data):
        tag, at = read_varint(data, at)
        if tag & 7 == 0:
            raw, at = read_varint(data, at)
        elif tag & 7 == 2:
            size, at = read_varint(data, at)
            raw, at = data[at:at + size], at + size
        else:
            size = {1: 8, 5: 4}[tag & 7]
            raw, at = int.from_bytes(data[at:at + size], 'little'), at + size
        if tag >> 3 not in fields:
            continue
        name, kind, many = fields[tag >> 3]
        if message == 'AnyValue':
            out.clear()              # a oneof: the last one wins
        value = read_protobuf(raw, kind) if kind in SCHEMA \
            else wire_scalar(raw, kind)
        if many:
            out.setdefault(name, []).append(value)
        else:
            out[name] = value
    return out


def varint(value):
    """An integer in base 128, negative ones in ten bytes."""
    value, out = value & (2 ** 64 - 1), bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def utf8(text):
    """UTF-8 in which a lone surrogate is one invalid byte.

    So that what JSON can say with an escape and protobuf cannot say at all
    is one thing to repair on either way in.
    """
    return b''.join(b'\xff' if '\ud800' <= char <= '\udfff'
                    else char.encode() for char in text)


def write_protobuf(value, message='Request'):
    """A dict by field name as the bytes of a protobuf message."""
    out = []
    for name, (number, kind, *many) in SCHEMA[message].items():
        items = value.get(name, []) if many else \
            [value[name]] if name in value else []
        for item in items:
            if kind in ('uint', 'enum', 'bool', 'int64'):
                out += varint(number << 3), varint(int(item))
                continue
            if kind in ('fixed64', 'double', 'fixed32'):
                code, tag = {'fixed64': ('<Q', 1), 'double': ('<d', 1),
                             'fixed32': ('<I', 5)}[kind]
                out += varint(number << 3 | tag), struct.pack(code, item)
                continue
            body = (write_protobuf(item, kind) if kind in SCHEMA
                    else utf8(item) if kind == 'string' else item)
            out += varint(number << 3 | 2), varint(len(body)), body
    return b''.join(out)


def to_json(value, message='Request'):
    """A dict by field name as an object of JSON (ids hex, int64 a string)."""
    out = {}
    for name, (_, kind, *many) in SCHEMA[message].items():
        if name not in value:
            continue
        item = value[name]
        if kind in SCHEMA:
            item = ([to_json(x, kind) for x in item] if many
                    else to_json(item, kind))
        elif kind == 'id':
            item = item.hex()
        elif kind == 'bytes':
            item = base64.b64encode(item).decode()
        elif kind in ('fixed64', 'int64'):
            item = str(item)
        elif kind == 'double' and not math.isfinite(item):
            item = 'NaN' if math.isnan(item) else \
                'Infinity' if item > 0 else '-Infinity'
        out[camel(name)] = item
    return out


def write_json(request):
    """A request as one line of OTLP/JSON."""
    return json.dumps(to_json(request)).encode()


def single_spans(request):
    """A request cut into one request for each span."""
    for group in request.get('resource_spans', []):
        for scope in group.get('scope_spans', []):
            for span in scope.get('spans', []):
                yield {'resource_spans': [
                    {**group, 'scope_spans': [{**scope, 'spans': [span]}]}]}


def documents(path):
    """The OTLP bodies of a file: lines of JSON, or one protobuf message."""
    with open(path, 'rb') as file:
        data = file.read()
    if path.endswith('.gz'):
        data = gzip.decompress(data)
    if '.pb' in os.path.basename(path):
        return [data]
    return [line for line in data.split(b'\n') if line.strip()]


def read(path, body):
    """A body of the file, decoded by what the file's name says it is."""
    return (read_protobuf if '.pb' in os.path.basename(path)
            else read_json)(body)


# ---------------------------------------------------------------------------
# Spans, merging and trees
# ---------------------------------------------------------------------------

def clean(text):
    """What cannot stand in a text of PostgreSQL became U+FFFD."""
    return re.sub('[\0\ud800-\udfff]', '\ufffd', text)


def plain(value):
    """An AnyValue as a Python value."""
    if 'array_value' in value:
        return [plain(x) for x in value['array_value'].get('values', [])]
    if 'kvlist_value' in value:
        return attributes(value['kvlist_value'].get('values', []))
    for item in value.values():
        return clean(item) if isinstance(item, str) else item
    return None


def attributes(pairs):
    """A list of KeyValue as a dict: the last of a key's values wins."""
    return {clean(p.get('key', '')): plain(p.get('value', {}))
            for p in pairs}


class Span:
    """One span with its own facts; place and usage are added by a trace."""

    def __init__(self, raw, resource=None):
        """Facts of one span. An end of 0 or before the start is open."""
        self.raw = raw
        self.resource = resource or {}
        self.trace_id = raw.get('trace_id', b'').rjust(16, b'\0').hex()
        self.span_id = raw.get('span_id', b'').hex()
        parent = raw.get('parent_span_id', b'')
        self.parent_span_id = parent.hex() if parent.strip(b'\0') else None
        self.name = clean(raw.get('name', ''))
        self.span_kind = SPAN_KINDS[raw.get('kind', 0)]
        self.start = raw.get('start_time_unix_nano', 0)
        end = raw.get('end_time_unix_nano', 0)
        self.end = end if end and end >= self.start else None
        self.attrs = attributes(raw.get('attributes', []))
        self.events = [(clean(e.get('name', '')),
                        attributes(e.get('attributes', [])))
                       for e in raw.get('events', [])]
        status = raw.get('status', {})
        self.status = STATUSES[status.get('code', 0)]
        self.status_message = clean(status.get('message', '')) or None

    def is_valid(self):
        """A zero or malformed id of its own rejects a span."""
        return (len(self.raw.get('trace_id', b'')) in (8, 16)
                and len(self.raw.get('span_id', b'')) == 8
                and bool(self.trace_id.strip('0'))
                and bool(self.span_id.strip('0')))


def spans_of(request):
    """The valid spans of a request."""
    for group in request.get('resource_spans', []):
        resource = attributes(group.get('resource', {}).get('attributes', []))
        for scope in group.get('scope_spans', []):
            for raw in scope.get('spans', []):
                span = Span(raw, resource)
                if span.is_valid():
                    yield span


def better(a, b):
    """Which of two reports of one span stays (trajectory.md, Merge).

    The closed one, then the one with more attributes. The third rule, the
    greater serialisation, is the kernel's own; here the first stays.
    """
    def rank(span):
        return span.end is not None, len(span.attrs)
    return b if rank(b) > rank(a) else a


def traces_of(spans):
    """{trace id: [spans in preorder]}, everything derived filled in."""
    found = defaultdict(dict)
    for span in spans:
        trace = found[span.trace_id]
        seen = trace.get(span.span_id)
        trace[span.span_id] = better(seen, span) if seen else span
    return {key: derive(preorder(trace)) for key, trace in found.items()}


def sibling_key(span):
    """Siblings go by start, end with the open ones last, span id."""
    return (span.start, math.inf if span.end is None else span.end,
            span.span_id)


def preorder(trace):
    """Spans with a parent before its children (trajectory.md, Meaning).

    A span whose parent is not here is an orphan and an extra root; a cycle
    of parents is cut at its earliest span, which becomes a root too.
    """
    above = {s.span_id: s.parent_span_id if s.parent_span_id in trace
             else None for s in trace.values()}
    rooted = {None}                  # those from which a root is reached
    for start in sorted(trace):
        path = {}
        while start not in rooted and start not in path:
            path[start] = len(path)
            start = above[start]
        if start in path:
            cycle = list(path)[path[start]:]
            first = min((trace[i] for i in cycle), key=sibling_key)
            above[first.span_id] = None
        rooted.update(path)
    children = defaultdict(list)
    for span in sorted(trace.values(), key=sibling_key):
        children[above[span.span_id]].append(span)
    order, todo = [], list(reversed(children[None]))
    while todo:
        span = todo.pop()
        span.up = trace.get(above[span.span_id])
        span.children = children[span.span_id]
        span.is_orphan = bool(span.parent_span_id) and span.up is None
        span.depth = span.up.depth + 1 if span.up else 1
        order.append(span)
        span.ordinal = len(order)
        todo += reversed(span.children)
    for span in reversed(order):
        span.subtree_count = 1 + sum(c.subtree_count for c in span.children)
    return order


# ---------------------------------------------------------------------------
# Meaning: kind, model, usage, errors
# ---------------------------------------------------------------------------

KIND_WORDS = {word: kind for kind, words in {
    'llm': 'llm generation chat generate generate_content text_completion '
           'completion chat_model realtime_inference response',
    'embedding': 'embedding embeddings',
    'rerank': 'rerank reranker',
    'retrieval': 'retrieval retriever',
    'tool': 'tool execute_tool',
    'agent': 'agent invoke_agent create_agent',
    'workflow': 'workflow chain invoke_workflow handle_conversation_turn',
    'plan': 'plan',
    'guardrail': 'guardrail',
    'evaluator': 'evaluator',
    'other': 'task prompt parser agent_step fetch_response',
}.items() for word in words.split()}
VENDOR_KINDS = (
    'langfuse.observation.type', 'traceloop.span.kind', 'mlflow.spanType',
    'langsmith.span.kind', 'raaf.span.kind', 'langwatch.span.type',
    'mastra.span.type', 'lmnr.span.type', 'genkit:metadata:subtype',
    'openinference.span.kind')
MODEL_KINDS = ('llm', 'embedding', 'rerank')
MESSAGES = ('gen_ai.input.messages', 'gen_ai.output.messages', 'gen_ai.prompt',
            'gen_ai.completion', 'llm.input_messages', 'llm.output_messages',
            'ai.prompt.messages')


def word_kind(word):
    """The kind a word stands for, None where it says nothing.

    Without regard to case; "span" and "event" of Langfuse say nothing.
    """
    if not isinstance(word, str):
        return None
    word = word.lower()
    if re.search('_memory(_store)?$', word) or word == 'memory':
        return 'memory'
    return KIND_WORDS.get(word)


def vercel_kind(word):
    """ai.generateText.doGenerate is the call, ai.generateText its agent."""
    if not isinstance(word, str) or not word.startswith('ai.'):
        return None
    word = word.split(' ')[0]        # operation.name adds the function's id
    if re.search(r'\.do(Generate|Stream)$', word):
        return 'llm'
    if word.endswith('.doEmbed'):
        return 'embedding'
    if re.search(r'\.doRerank$', word):
        return 'rerank'
    return {'ai.toolCall': 'tool', 'ai.embed': 'workflow',
            'ai.embedMany': 'workflow'}.get(word) or (
        'agent' if re.match('ai.(generate|stream)(Text|Object)$', word)
        else None)


def stated_kind(attrs):
    """What a span says it is by its kind or its operation, None if nothing.

    The kind wins, but an operation that names an agent or a workflow beats
    a model call: Langfuse calls the wrappers of calls generations too.
    """
    kind = next(filter(None, (word_kind(attrs.get(key))
                              for key in VENDOR_KINDS)), None)
    operation = (word_kind(attrs.get('gen_ai.operation.name'))
                 or vercel_kind(attrs.get('ai.operationId'))
                 or vercel_kind(attrs.get('operation.name'))
                 or word_kind(attrs.get('llm.request.type')))
    if kind == 'llm' and operation in ('agent', 'workflow'):
        return operation
    return kind or operation


def kind_of(attrs):
    """The kind of a span: the first rule of mapping.csv that answers."""
    kind = stated_kind(attrs)
    if kind:
        return kind
    if first(attrs, 'tool_name', some_text) or first(
            attrs, 'tool_call_id', some_text):
        return 'tool'
    if any(key.startswith(('retrieval.documents', 'gen_ai.retrieval.'))
           for key in attrs):
        return 'retrieval'
    messages = any(key.startswith(MESSAGES) for key in attrs)
    reported = usage_of(attrs)
    if model_of(attrs) and (messages or reported['input'] is not None
                            or reported['output'] is not None):
        return 'agent' if first(attrs, 'agent_name', some_text) else 'llm'
    return 'other'


# Column by column, the aliases of mapping.csv from left to right and what real
# data calls so beyond them: the first that has a value wins.
ALIASES = {
    'model_responded': '''gen_ai.response.model llm.response.model_name
        llm.model_name ai.response.model llm.response.model
        mlflow.llm.model''',
    'model_requested': '''gen_ai.request.model llm.request.model_name
        embedding.model_name reranker.model_name ai.model.id
        langfuse.observation.model.name invocation_params.model
        model_name llm.model llm.request.model''',
    'provider': '''gen_ai.provider.name gen_ai.system llm.provider llm.system
        ai.model.provider metadata.ls_provider mlflow.llm.provider
        aisdk.model.provider''',
    'tool_name': '''gen_ai.tool.name tool.name tool_call.function.name
        ai.toolCall.name invocation_params.tool_name flue.tool.name''',
    'tool_call_id': '''gen_ai.tool.call.id tool_call.id tool.id
        message.tool_call_id ai.toolCall.id tool_call_id''',
    'agent_name': 'gen_ai.agent.name gen_ai.agent agent.name agent_name',
    'input': '''gen_ai.usage.input_tokens gen_ai.usage.prompt_tokens
        llm.usage.prompt_tokens llm.token_count.prompt ai.usage.inputTokens
        ai.usage.promptTokens usage_metadata.input_tokens
        gen_ai.aggregated_usage.input_tokens ai.usage.tokens''',
    'output': '''gen_ai.usage.output_tokens gen_ai.usage.completion_tokens
        llm.usage.completion_tokens llm.token_count.completion
        ai.usage.outputTokens ai.usage.completionTokens
        usage_metadata.output_tokens
        gen_ai.aggregated_usage.output_tokens''',
    'reasoning': '''gen_ai.usage.reasoning.output_tokens
        gen_ai.usage.reasoning_tokens llm.usage.reasoning_tokens
        llm.token_count.completion_details.reasoning ai.usage.reasoningTokens
        ai.usage.outputTokenDetails.reasoningTokens
        gen_ai.usage.details.reasoning_tokens
        gen_ai.usage.details.thoughts_tokens''',
    'cache_read': '''gen_ai.usage.cache_read.input_tokens
        gen_ai.usage.cache_read_input_tokens
        llm.token_count.prompt_details.cache_read ai.usage.cachedInputTokens
        ai.usage.inputTokenDetails.cacheReadTokens cache_read_input_tokens
        gen_ai.usage.details.cache_read_tokens
        gen_ai.usage.details.cache_read_input_tokens
        gen_ai.usage.cached_input_tokens gen_ai.usage.cache_read_tokens
        gen_ai.usage.input_cached_tokens''',
    'cache_write': '''gen_ai.usage.cache_write.input_tokens
        gen_ai.usage.cache_creation.input_tokens
        gen_ai.usage.cache_creation_input_tokens
        llm.token_count.prompt_details.cache_write
        ai.usage.inputTokenDetails.cacheWriteTokens
        cache_creation_input_tokens gen_ai.usage.details.cache_write_tokens
        gen_ai.usage.cache_write_tokens''',
    'cost': '''llm.cost.total mlflow.llm.cost.total_cost operation.cost
        gen_ai.usage.cost gen_ai.usage.cost_usd gen_ai.total_cost
        gen_ai.usage.total_cost langwatch.span.cost''',
    'service_name': 'service.name',
    'service_version': 'service.version',
    'environment': '''deployment.environment.name deployment.environment
        langfuse.environment''',
    'region': 'cloud.region',
    'feature': '''metadata.feature
        traceloop.association.properties.feature ai.telemetry.functionId
        langfuse.trace.metadata.feature mlflow.traceTag.feature''',
    'tenant_id': '''tenant.id metadata.tenant_id
        traceloop.association.properties.tenant_id
        ai.telemetry.metadata.tenantId langfuse.trace.metadata.tenant_id
        langwatch.customer.id organization_id''',
    'user_id': '''user.id enduser.id
        traceloop.association.properties.user_id gen_ai.user
        ai.telemetry.metadata.userId langfuse.user.id langwatch.user.id
        mlflow.trace.user llm.user metadata.userId metadata.user_id''',
    'conversation_id': '''gen_ai.conversation.id session.id
        traceloop.association.properties.session_id
        ai.telemetry.metadata.sessionId langfuse.session.id
        langsmith.trace.session_id mlflow.trace.session langwatch.thread.id
        mastra.metadata.threadId metadata.sessionId''',
    'workflow_name': '''gen_ai.workflow.name gen_ai.main_agent.name
        traceloop.workflow.name langfuse.trace.name langsmith.trace.name
        mlflow.traceName''',
    'prompt_name': '''gen_ai.prompt.name prompt.id traceloop.prompt.key
        langfuse.observation.prompt.name''',
    'prompt_version': '''gen_ai.prompt.version llm.prompt_template.version
        traceloop.prompt.version traceloop.prompt.version_hash
        langfuse.observation.prompt.version''',
    'finish_reason': '''gen_ai.response.finish_reasons
        gen_ai.response.finish_reason llm.finish_reason
        llm.response.finish_reason llm.response.stop_reason
        gen_ai.response.stop_reason ai.response.finishReason
        gen_ai.finishReason''',
    'ttft_seconds': '''gen_ai.response.time_to_first_chunk
        gen_ai.client.operation.time_to_first_chunk
        gen_ai.server.time_to_first_token
        gen_ai.response.time_to_first_token''',
    'ttft_ms': '''ai.response.msToFirstChunk
        gen_ai.response.time_to_first_token_ms ai.stream.msToFirstChunk''',
    'attempt': 'attempt retry.attempt gen_ai.retry.attempt',
    'resends': 'http.request.resend_count opencode.llm.retry_count',
    'tool_arguments': '''gen_ai.tool.call.arguments ai.toolCall.args
        tool.parameters tool_arguments function.input gen_ai.tool.args''',
    'call_input': '''gen_ai.input.messages input.value ai.prompt.messages
        ai.prompt langfuse.observation.input traceloop.entity.input
        llm.prompts gen_ai.prompt mlflow.spanInputs
        pydantic_ai.all_messages''',
}
ALIASES = {column: keys.split() for column, keys in ALIASES.items()}
COUNTS = ('input', 'output', 'reasoning', 'cache_read', 'cache_write')


def count(value):
    """A number of tokens; negative or not an integer is unknown.

    Strings are cast ("1783"), a double that is whole is that integer.
    """
    if isinstance(value, str):
        value = int(value) if re.fullmatch(r'\s*\d{1,18}\s*', value) else None
    if isinstance(value, float):
        value = int(value) if value.is_integer() else None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return value


def first(attrs, column, cast):
    """The first alias of the column whose value the cast accepts."""
    for key in ALIASES[column]:
        if cast(attrs.get(key)) is not None:
            return cast(attrs[key])
    return None


def model_of(attrs):
    """The model that responded, else the one requested."""
    return (first(attrs, 'model_responded', some_text)
            or first(attrs, 'model_requested', some_text))


def some_text(value):
    """A text that says something."""
    return value if isinstance(value, str) and value else None


def json_object(text):
    """The object in a JSON text, {} for all else (it never fails)."""
    try:
        value = json.loads(text)
    except (TypeError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def langfuse_usage(attrs):
    """Langfuse's buckets, which exclude one another, made inclusive.

    ingest.md: "Langfuse buckets exclude cached tokens": what was read from
    and written to the cache is added to the input, reasoning to the output.
    """
    raw = json_object(attrs.get('langfuse.observation.usage_details'))

    def bucket(pattern):
        found = [count(v) for k, v in raw.items()
                 if re.fullmatch(pattern, k) and count(v) is not None]
        return sum(found) if found else None

    out = {'input': bucket('input'), 'output': bucket('output'),
           'cache_read': bucket('input_cached_tokens|input_cache_read'),
           'cache_write': bucket('input_cache_creation(_5m|_1h)?'),
           'reasoning': bucket('output_reasoning(_tokens)?')}
    if out['input'] is not None:
        out['input'] += (out['cache_read'] or 0) + (out['cache_write'] or 0)
    if out['output'] is not None:
        out['output'] += out['reasoning'] or 0
    return out


def usage_of(attrs):
    """The five token counts as the span reports them, inclusive.

    Of MLflow the JSON text mlflow.chat.tokenUsage has input and output.
    """
    buckets = langfuse_usage(attrs)
    mlflow = json_object(attrs.get('mlflow.chat.tokenUsage'))
    for column in ('input', 'output'):
        if buckets[column] is None:
            buckets[column] = count(mlflow.get(column + '_tokens'))
    out = {}
    for column in COUNTS:
        value = first(attrs, column, count)
        out[column] = buckets[column] if value is None else value
    return out


def money(value):
    """A number as Decimal; bool, text that is none and NaN are unknown."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        value = Decimal(str(value))
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def cost_of(attrs):
    """What the span itself says it cost."""
    value = first(attrs, 'cost', money)
    if value is None:
        value = money(json_object(
            attrs.get('langfuse.observation.cost_details')).get('total'))
    return None if value is not None and value < 0 else value


def http_status(attrs):
    """The HTTP status code of a span, by its new or its old name."""
    for key in ('http.response.status_code', 'http.status_code'):
        if count(attrs.get(key)) is not None:
            return count(attrs[key])
    return None


def is_error(span):
    """ingest.md, Errors: the status decides; where unset, other signs."""
    if span.status != 'unset':
        return span.status == 'error'
    return (some_text(span.attrs.get('error.type')) is not None
            or any(name == 'exception' for name, _ in span.events)
            or str(span.attrs.get('langfuse.observation.level')).upper()
            == 'ERROR'
            or (http_status(span.attrs) or 0) >= 500)


def error_type(span):
    """error.type, else the exception's type, else the HTTP status.

    Of a span that failed only.
    """
    if not is_error(span):
        return None
    types = [span.attrs.get('error.type')]
    types += [attrs.get('exception.type') for name, attrs in span.events
              if name == 'exception']
    types += [span.attrs.get('exception.type'),
              span.attrs.get('exception_type'),
              span.attrs.get('gen_ai.error.type')]
    for value in types:
        if some_text(value):
            return value
    code = http_status(span.attrs)
    return str(code) if code and code >= 400 else None


def tool_name(span):
    """The tool of a tool span; a model call's is what it asks for.

    A name attribute, else traceloop.entity.name, else the span's name
    without the operation before it.
    """
    if span.kind != 'tool':
        return None
    return (first(span.attrs, 'tool_name', some_text)
            or some_text(span.attrs.get('traceloop.entity.name'))
            or re.sub('^execute_tool (?=.)', '', span.name, flags=re.S))


# ---------------------------------------------------------------------------
# Prompts: the system text and the tools of a call, in one form for all
# conventions (prompt_hash.h says which).
# ---------------------------------------------------------------------------

class Written(str):
    """A number as JSON has it."""


DECODER = json.JSONDecoder(parse_int=Written, parse_float=Written)


def skip(pattern, text, at):
    """The place after what a pattern matches here."""
    return re.compile(pattern).match(text, at).end()


def read_part(text, at=0):
    """A JSON value that may break off: (value, place after it, is whole).

    Of a broken array or object what came before the break is there.
    """
    at = skip(r'\s*', text, at)
    try:
        return DECODER.raw_decode(text, at) + (True,)
    except ValueError:
        pass
    if text[at:at + 1] not in ('{', '['):
        return None, at, False
    is_object = text[at] == '{'
    out = {} if is_object else []
    at += 1
    while True:
        at = skip(r'[\s,]*', text, at)
        name = None
        if is_object:
            name, at, whole = read_part(text, at)
            if not whole or text[skip(r'\s*', text, at):][:1] != ':':
                return out, at, False
            at = skip(r'\s*:', text, at)
        value, at, whole = read_part(text, at)
        if is_object and value is not None:
            out[name] = value
        elif whole:
            out.append(value)
        if not whole:
            return out, at, False


def begins_json(text):
    """Whether a text may be JSON with a text in it."""
    return re.match(r'\s*[\[{"]', text) is not None


def unpacked(value):
    """The JSON in a text, as far as it goes; what is no text, as it is."""
    if isinstance(value, str):
        return read_part(value)[0] if begins_json(value) else None
    return value


def texts_of(value):
    """The texts in a string, a part, a message or a list of them."""
    if isinstance(value, str):
        return [value] if value and not isinstance(value, Written) else []
    if isinstance(value, list):
        return [text for item in value for text in texts_of(item)]
    if isinstance(value, dict) and value.get('type', 'text') in (
            'text', 'input_text', 'message'):
        return [text for name, item in value.items()
                if name in ('content', 'parts', 'text')
                for text in texts_of(item)]
    return []


def plain_texts(value):
    """Text, or the texts in JSON of parts if it is that and whole."""
    if isinstance(value, str) and begins_json(value):
        inside, end, whole = read_part(value)
        found = texts_of(inside) if whole and not value[end:].strip() else []
        return found or [value]
    return texts_of(value)


def head_texts(messages):
    """What the system says before anyone else speaks."""
    out = []
    for message in messages if isinstance(messages, list) else []:
        if not isinstance(message, dict) or message.get('role') not in (
                'system', 'developer'):
            break
        out += texts_of(message)
    return out


def request_texts(request):
    """The system text of a list of messages or of a request with one."""
    if isinstance(request, list):
        return head_texts(request)
    if not isinstance(request, dict):
        return []
    lists = [request[k] for k in request
             if k in ('messages', 'input', 'prompt')]
    out = [text for k in request if k in ('system', 'instructions')
           for text in texts_of(request[k])] if lists else []
    return out + [text for messages in lists for text in head_texts(messages)]


def flat(attrs, prefix):
    """The items of a list that is flattened into attributes, in order."""
    items = defaultdict(dict)
    for key, value in attrs.items():
        found = re.fullmatch(re.escape(prefix) + r'(\d+)\.(.*)', key, re.S)
        if found:
            items[int(found[1])][found[2]] = value
    return [items[n] for n in sorted(items)]


def flat_texts(attrs):
    """The system messages at the head of flattened ones."""
    out = []
    for item in flat(attrs, 'llm.input_messages.'):
        if item.get('message.role') not in ('system', 'developer'):
            break
        out += texts_of(item.get('message.content'))
        out += [part['message_content.text'] for part in
                flat(item, 'message.contents.')
                if part.get('message_content.text')]
    if out:
        return out
    for item in flat(attrs, 'gen_ai.prompt.'):
        if item.get('role') not in ('system', 'developer'):
            break
        out += plain_texts(item.get('content'))
    return out


def canonical(value):
    """JSON without spaces, keys sorted by their bytes."""
    if isinstance(value, Written):
        return str(value)
    if isinstance(value, dict):
        return '{' + ','.join(canonical(k) + ':' + canonical(value[k]) for k in
                              sorted(value, key=str.encode)) + '}'
    if isinstance(value, list):
        return '[' + ','.join(map(canonical, value)) + ']'
    return json.dumps(value, ensure_ascii=False)


def tool_of(tool):
    """A tool's definition in its one form, None where it is none."""
    if isinstance(tool, str) and not isinstance(tool, Written):
        inside = unpacked(tool)
        return tool_of(inside) if isinstance(inside, dict) \
            else canonical(tool)
    if not isinstance(tool, dict):
        return None
    facts = {**tool, **tool['function']} \
        if isinstance(tool.get('function'), dict) else tool
    out = {'description': facts.get('description'), 'name': facts.get('name')}
    for key in ('parameters', 'inputSchema', 'input_schema',
                'parameters_json_schema'):
        if key in facts:
            out['parameters'] = unpacked(facts[key])
    out = {k: v for k, v in out.items() if v not in (None, '', {})}
    return canonical(out if 'name' in out else tool)


def tools_of(value, *names):
    """Definitions of a list or of the named lists of an object."""
    value = unpacked(value)
    if names:
        value = [tool for name in names if isinstance(value, dict)
                 for tool in value.get(name) or []]
    tools = value if isinstance(value, list) else [value]
    return list(filter(None, map(tool_of, tools)))


TEXT_KEYS = '''gen_ai.input.messages ai.prompt.messages ai.prompt
    pydantic_ai.all_messages all_messages_events events gen_ai.prompt
    llm.request.messages input.value langfuse.observation.input
    mlflow.spanInputs'''.split()
TOOL_KEYS = {'gen_ai.tool.definitions': (), 'ai.prompt.tools': (), **{
    key: ('tools', 'function_tools', 'output_tools') for key in (
        'model_request_parameters', 'llm.invocation_parameters',
        'input.value', 'langfuse.observation.input', 'mlflow.spanInputs')}}


def prompt_texts(attrs):
    """The system text, from the first attributes that have some."""
    return (plain_texts(attrs.get('gen_ai.system_instructions'))
            or flat_texts(attrs)
            or next(filter(None, (request_texts(unpacked(attrs.get(key)))
                                  for key in TEXT_KEYS)), []))


def prompt_tools(attrs):
    """The tools, from the first attributes that have some."""
    found = [tool for item in flat(attrs, 'llm.tools.')
             for tool in tools_of(item.get('tool.json_schema'))]
    found += [tool_of(item)
              for item in flat(attrs, 'llm.request.functions.')]
    for key, names in TOOL_KEYS.items():
        found = found or (tools_of(attrs[key], *names) if key in attrs else [])
    return found


def prompt_hash(span):
    """A name for the system text and the tools of a model call."""
    if span.kind not in ('llm', 'agent'):
        return None
    text = '\n'.join(prompt_texts(span.attrs)).strip(' \t\n\v\f\r')
    tools = prompt_tools(span.attrs)
    if not text and (span.kind != 'llm' or not tools):
        return None
    parts = [text.encode()] + sorted(tool.encode() for tool in tools)
    return hashlib.sha256(b'\0'.join(parts)).hexdigest()[:16]


# ---------------------------------------------------------------------------
# What a span has from those around it, and what a trace has from its spans
# (columns.md, Views).
# ---------------------------------------------------------------------------

RESOURCE_TEXTS = ('service_name', 'service_version', 'environment', 'region')
INHERITED_TEXTS = ('feature', 'tenant_id', 'user_id', 'conversation_id',
                   'agent_name', 'prompt_name', 'prompt_version',
                   'prompt_hash')
FIRST_TOKENS = ('ai.stream.firstChunk', 'First Token Stream Event',
                'first_token', 'gen_ai.first_token', 'new_token')
RETRY_EVENTS = ('gen_ai.retry', 'retry', 'llm.retry', 'http.retry')
CALL_KINDS = MODEL_KINDS + ('retrieval', 'tool')
FINISH_WORDS = {word: name for name, words in {
    'stop': 'stop end_turn stop_sequence eos complete',
    'length': 'length max_tokens max_output_tokens',
    'tool_call': 'tool_calls tool-calls tool_use tool_call function_call',
    'content_filter': 'content_filter content-filter safety refusal',
}.items() for word in words.split()}


def text_in(value):
    """A text, or the first one of a list."""
    if isinstance(value, list):
        return next(filter(None, map(some_text, value)), None)
    return some_text(value)


def langfuse_prompt(span):
    """Name and version of a prompt that is sent as a whole, as JSON text."""
    try:
        prompt = json.loads(span.attrs.get('ai.telemetry.metadata.langfusePrompt'))
    except (TypeError, ValueError):
        return {}
    if not isinstance(prompt, dict):
        return {}
    version = prompt.get('version')
    return {'prompt_name': some_text(prompt.get('name')),
            'prompt_version': str(version) if isinstance(version, int) else None}


def own_text(span, column):
    """A column of the span itself; its resource is not asked."""
    if column == 'prompt_hash':
        return span.prompt_hash
    value = first(span.attrs, column, text_in)
    if value is None and column in ('prompt_name', 'prompt_version'):
        value = langfuse_prompt(span).get(column)
    if column != 'agent_name' or span.kind != 'agent':
        return value
    return (value or some_text(span.attrs.get('traceloop.entity.name'))
            or re.sub('^invoke_agent (?=.)', '', span.name, flags=re.S))


def around(span):
    """The texts that a span has itself, from above or by its resource."""
    out = {column: first(span.attrs, column, text_in)
           or first(span.resource, column, some_text)
           for column in RESOURCE_TEXTS}
    return {**out, **span.nearest}


def is_wrapper(span):
    """A model call with another below it that reports tokens or a cost."""
    return span.kind in MODEL_KINDS and any(
        s.kind in MODEL_KINDS and is_billable(s) for s in subtree(span)[1:])


def subtree(span):
    """A span and all below it."""
    out = [span]
    for at in out:
        out += at.children
    return out


def is_billable(span):
    """Has it tokens or a cost above zero?"""
    return has_usage(span) or bool(span.cost)


def is_billed(span):
    """Is what it used, or says that it cost, not said again below it?"""
    if span.usage_scope is None and span.cost is None:
        return False
    below = subtree(span)[1:]
    if span.kind in MODEL_KINDS:
        below = [s for s in below if s.kind in MODEL_KINDS]
    return not any(map(is_billable, below))


def ttft_ms(span):
    """Time to the first token: said, else by when it came."""
    for column, factor in (('ttft_seconds', 1000), ('ttft_ms', 1)):
        value = first(span.attrs, column, money)
        if value is not None and value >= 0:
            return float(value) * factor
    found = next((e.get('time_unix_nano', 0)
                  for e in span.raw.get('events', [])
                  if e.get('name') in FIRST_TOKENS), None)
    if found is None:
        for key in ('langfuse.observation.completion_start_time',
                    'langwatch.timestamps.first_token_at'):
            text = some_text(span.attrs.get(key))
            if text:
                found = iso_ns(text.strip('"'))
    if found is None or found < span.start or (
            span.end is not None and found > span.end):
        return None
    return (found - span.start) / 1e6


def iso_ns(text):
    """A time as 2026-11-20T15:18:12.541Z in nanoseconds."""
    found = re.fullmatch(r'(\d{4}-\d\d-\d\dT\d\d:\d\d:)([\d.]+)Z', text)
    if not found:
        return None
    minute = datetime.fromisoformat(found[1] + '00+00:00')
    return int(minute.timestamp()) * 10 ** 9 + round(
        Decimal(found[2]) * 10 ** 9)


def tpot_ms(span):
    """Time an output token after the first."""
    tokens, took = span.usage['output'], ttft_ms(span)
    if took is None or span.end is None or not tokens or tokens < 2:
        return None
    rest = (span.end - span.start) / 1e6 - took
    return rest / (tokens - 1) if rest >= 0 else None


def finish_reason(span):
    """One word for why a call ended."""
    raw = first(span.attrs, 'finish_reason', text_in)
    listed = re.match(r'\["([^"\\]+)"', raw or '')   # a list as JSON
    word = (listed[1] if listed else raw or '').lower()
    return FINISH_WORDS.get(word, word) or None


def stated_attempt(span):
    """Which attempt a call says it is, None if it and those below don't."""
    value = first(span.attrs, 'attempt', count) or (
        (first(span.attrs, 'resends', count) or -1) + 1) or None
    if value:
        return value
    below, resends = list(span.children), [0]
    for at in below:
        if at.kind not in CALL_KINDS:
            resends.append(count(
                at.attrs.get('http.request.resend_count')) or 0)
            below += at.children
    if max(resends):
        return 1 + max(resends)
    return None


def set_attempts(order):
    """attempt and is_hedge of each call: said, or seen in its siblings."""
    latest = {}
    for span in order:
        span.attempt, span.is_hedge = None, False
        if span.kind not in CALL_KINDS:
            continue
        stated = stated_attempt(span)
        events = sum(name in RETRY_EVENTS for name, _ in span.events)
        span.attempt = stated or 1 + events
        given = span.kind == 'tool' and first(
            span.attrs, 'tool_arguments', anything)
        given = given or first(span.attrs, 'call_input', anything)
        key = (id(span.up), span.kind, span.name, repr(given))
        before = latest.get(key)
        if before:
            overlaps = before.end is None or span.start < before.end
            is_hedge = overlaps and given is not None
            if stated:
                span.is_hedge = is_hedge and stated > before.attempt
            elif is_hedge or (before.is_error and not overlaps):
                span.attempt, span.is_hedge = before.attempt + 1, is_hedge
        latest[key] = span


def anything(value):
    """What is there at all."""
    return value


def primary_root(order):
    """The first root without a parent, else the first span."""
    return next((s for s in order if s.parent_span_id is None), order[0])


def wide_text(order, column):
    """A trace's text: the root's, else a resource's, else a span's."""
    root = primary_root(order)
    return (first(root.attrs, column, text_in)
            or first(root.resource, column, some_text)
            or next(filter(None, (first(s.resource, column, some_text)
                                  for s in order)), None)
            or next(filter(None, (first(s.attrs, column, text_in)
                                  for s in order)), None))


def feature_of(order):
    """(feature, its source) of a trace."""
    named = wide_text(order, 'feature')
    if named:
        return named, 'attribute'
    for span in order:
        named = first(span.attrs, 'workflow_name', text_in) or (
            span.name if span.kind == 'workflow'
            and not nearest_agent(span) else None)
        if named:
            return named, 'workflow'
    agent = next((s for s in order if s.kind == 'agent'), None)
    return (own_text(agent, 'agent_name'), 'agent') if agent else (None, None)


def nearest_agent(span):
    """The agent's span that this is, or that is nearest above it."""
    while span and span.kind != 'agent':
        span = span.up
    return span


def known_sum(values):
    """A sum, None where nothing is known."""
    values = [v for v in values if v is not None]
    return sum(values) if values else None


def summary(order):
    """A trace as the view traces shows it, costs left out."""
    root = primary_root(order)
    calls = [s for s in order if s.kind in MODEL_KINDS and not s.is_wrapper]
    called = sorted((s for s in calls if s.model), key=lambda s: s.start)
    agents = [s for s in order if s.kind == 'agent']
    feature, source = feature_of(order)
    is_open = any(s.end is None for s in order if s.up is None)
    ended = max((s.end for s in order if s.end is not None), default=None)
    out = {
        'root_span_id': root.span_id, 'root_name': root.name,
        'root_kind': root.kind, 'status': root.status,
        'is_error': root.is_error,
        'error_type': root.error_type or next(
            (s.error_type for s in order if s.error_type), None),
        'is_complete': not any(s.end is None or s.is_orphan for s in order),
        'duration_ms': None if is_open else
        (ended - min(s.start for s in order)) / 1e6,
        'span_count': len(order),
        'error_count': sum(s.is_error for s in order),
        'model_call_count': len(calls),
        'tool_call_count': sum(s.kind == 'tool' for s in order),
        'tool_error_count': sum(s.kind == 'tool' and s.is_error
                                for s in order),
        'agent_run_count': len(agents),
        'retry_count': sum((s.attempt or 1) > 1 and not s.is_hedge
                           for s in order),
        'depth': max(s.depth for s in order),
        'first_model': called[0].model if called else None,
        'last_model': max(enumerate(called), key=lambda x: (
            x[1].start, x[0]))[1].model if called else None,
        'feature': feature, 'feature_source': source,
        'agent_name': own_text(agents[0], 'agent_name') if agents else None,
        **{f'{c}_tokens': known_sum(s.own[c] for s in order)
           for c in COUNTS},
        **{c: wide_text(order, c) for c in RESOURCE_TEXTS + (
            'tenant_id', 'user_id', 'conversation_id')},
    }
    prompt_columns = ('prompt_name', 'prompt_version', 'prompt_hash')
    prompted = [s for s in called if any(own_text(s, c) for c in prompt_columns)]
    bearers = agents[:1] + prompted[:1]
    for column in prompt_columns:
        out[column] = next(filter(None, (own_text(s, column)
                                         for s in bearers)), None)
    return out


def has_usage(span):
    """Input or output tokens are known and one of them is above zero."""
    return bool(span.usage['input']) or bool(span.usage['output'])


def usage_scope(span, below):
    """own, rollup or None (columns.md, "A plain sum() is right").

    A model call is own unless a model call below it has usage; every other
    span is own only if nothing below it has usage.
    """
    if span.usage['input'] is None and span.usage['output'] is None:
        return None
    if span.kind in MODEL_KINDS:
        below = [s for s in below if s.kind in MODEL_KINDS]
    return 'rollup' if any(has_usage(s) for s in below) else 'own'


def self_ns(span):
    """The duration less the union of the children's time inside it."""
    if span.end is None:
        return None
    covered, at = 0, span.start
    for child in sorted(span.children, key=sibling_key):
        if child.end is None:
            return None              # not defined by the page: not compared
        start, end = max(child.start, at), min(child.end, span.end)
        if end > start:
            covered, at = covered + end - start, end
    return span.end - span.start - covered


def convention(attrs):
    """Which instrumentation speaks; for sums by convention only."""
    for key, name in (('langfuse.observation.type', 'langfuse'),
                      ('openinference.span.kind', 'openinference'),
                      ('traceloop.span.kind', 'traceloop'),
                      ('gen_ai.operation.name', 'gen_ai'),
                      ('ai.operationId', 'vercel')):
        if key in attrs:
            return name
    return 'other'


def derive(order):
    """Fill in the columns of one trace's spans, given in preorder."""
    began = min(span.start for span in order)
    for span in order:
        attrs = span.attrs
        span.trace_start = began
        span.kind = kind_of(attrs)
        span.is_error = is_error(span)
        span.error_type = error_type(span)
        span.model = model_of(attrs)
        span.provider = first(attrs, 'provider', some_text)
        span.tool_name = tool_name(span)
        span.tool_call_id = first(attrs, 'tool_call_id', some_text) \
            if span.kind == 'tool' else None
        span.usage = usage_of(attrs)
        span.cost = cost_of(attrs)
        span.prompt_hash = prompt_hash(span)
        span.self_ns = self_ns(span)
        span.convention = convention(attrs)
    for at, span in enumerate(order):
        below = order[at + 1:at + span.subtree_count]
        span.usage_scope = usage_scope(span, below)
        span.own = span.usage if span.usage_scope == 'own' \
            else dict.fromkeys(COUNTS)
        span.is_wrapper = is_wrapper(span)
        span.is_billed = is_billed(span)
        above = span.up.nearest if span.up else {}
        span.nearest = {column: own_text(span, column) or above.get(column)
                        for column in INHERITED_TEXTS}
    set_attempts(order)
    return order


# ---------------------------------------------------------------------------
# Files
# ---------------------------------------------------------------------------

def top():
    """The folder of the repository."""
    return os.path.dirname(os.path.dirname(os.path.dirname(
        os.path.abspath(__file__))))


def data_folder():
    """Where the real data is (LLMTRACE_DATA), None where it is absent."""
    path = os.environ.get('LLMTRACE_DATA') or os.path.join(
        os.path.dirname(top()), 'shared', 'data')
    return path if os.path.isdir(os.path.join(path, 'otlp')) else None


def data_files(folder):
    """Every file of traces: otlp/ and the captured bodies, logs left out."""
    out = []
    for part in ('otlp', 'captures'):
        for name in sorted(os.listdir(os.path.join(folder, part))):
            if '.labels.' in name or name.endswith('.meta.json'):
                continue
            path = os.path.join(folder, part, name)
            if not is_logs(path):
                out.append(path)
    return out


def is_logs(path):
    """Whether a file holds logs instead of traces."""
    return '.json' in path and b'"resourceLogs"' in documents(path)[0][:64]


def load(path):
    """{trace id: [spans in preorder]} of a file."""
    return traces_of(span for body in documents(path)
                     for span in spans_of(read(path, body)))


def totals(spans):
    """What a plain sum over the view's columns must give."""
    spans = list(spans)
    return {'spans': len(spans),
            'calls': sum(s.kind in MODEL_KINDS for s in spans),
            'errors': sum(s.is_error for s in spans),
            **{c: sum(s.own[c] or 0 for s in spans) for c in COUNTS}}


def main():
    """Print a table of all files."""
    folder = sys.argv[1] if len(sys.argv) > 1 else data_folder()
    head = ('traces', 'spans', 'calls', 'errors', 'tools', 'usage', 'rollup',
            'input', 'output', 'orphan', 'open')
    print(f"{'file':44}" + ''.join(f'{h:>9}' for h in head))
    for path in data_files(folder):
        traces = load(path)
        spans = [s for trace in traces.values() for s in trace]
        sums = totals(spans)
        row = (len(traces), len(spans), sums['calls'], sums['errors'],
               sum(s.kind == 'tool' for s in spans),
               sum(s.usage_scope is not None for s in spans),
               sum(s.usage_scope == 'rollup' for s in spans),
               sums['input'], sums['output'],
               sum(s.is_orphan for s in spans),
               sum(s.end is None for s in spans))
        print(f'{os.path.basename(path):44}'
              + ''.join(f'{x:9}' for x in row))


if __name__ == '__main__':
    main()
