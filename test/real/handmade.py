"""Small traces that real data has no example of, one rule of a page each."""
import base64
import json

import oracle

START = 1700000000000000000


def any_value(value):
    """A Python value as an AnyValue of JSON."""
    if value is None:
        return {}
    if isinstance(value, bool):
        return {'boolValue': value}
    if isinstance(value, int):
        return {'intValue': str(value)}
    if isinstance(value, float):
        return {'doubleValue': value}
    return {'stringValue': value}


def pairs(attrs):
    """A dict as a list of KeyValue."""
    return [{'key': k, 'value': any_value(v)} for k, v in attrs.items()]


def span(number, parent=0, start=0, end=10, name=None, **more):
    """A span by small numbers: ids, milliseconds after START."""
    out = {'spanId': f'{number:016x}', 'parentSpanId':
           f'{parent:016x}' if parent else '', 'name': name or f's{number}',
           'startTimeUnixNano': str(START + start * 1000000),
           'endTimeUnixNano': str(START + end * 1000000) if end else '0'}
    out['attributes'] = pairs(more.pop('attrs', {}))
    return {**out, **more}


def body(trace, *spans):
    """One request whose spans belong to one trace."""
    for item in spans:
        item.setdefault('traceId', f'{trace:032x}')
    return json.dumps({'resourceSpans': [{'scopeSpans': [
        {'spans': list(spans)}]}]})


def usage(kind, tokens=(None, None), **more):
    """GenAI attributes of an operation with its usage."""
    names = ('gen_ai.usage.input_tokens', 'gen_ai.usage.output_tokens')
    return {'gen_ai.operation.name': kind, **more,
            **{k: v for k, v in zip(names, tokens) if v is not None}}


def trees():
    """Order, cycles, orphans and open ends (trajectory.md, Meaning)."""
    yield 'siblings by start, end, id', body(
        1, span(1, end=90), span(9, 1, 5, 20), span(8, 1, 5, 0),
        span(7, 1, 5, 20), span(6, 1, 5, 10), span(5, 1, 4, 60))
    yield 'several roots and an orphan', body(
        2, span(3, start=7), span(2, start=7), span(4, 99, 1, 5),
        span(5, 4, 2, 3))
    yield 'a cycle cut at its earliest span', body(
        3, span(1, 3, 5), span(2, 1, 3), span(3, 2, 4), span(4, 3, 6),
        span(5, 5, 1))
    yield 'an end before the start, no start', body(
        4, span(1, start=5, end=3), span(2, 1, start=6, end=0),
        span(3, 1, start=6, end=6))
    yield 'children outside their parent, overlapping', body(
        5, span(1, start=10, end=20), span(2, 1, 5, 12), span(3, 1, 11, 15),
        span(4, 1, 18, 40), span(5, 1, 30, 50))
    yield 'a chain of 3000', body(
        6, *(span(n, n - 1, n, 4000) for n in range(1, 3001)))


def wire():
    """Spellings of ids, names and enums (ingest.md, the table)."""
    encode = base64.b64encode
    yield 'ids in base64, upper case, with 0x', body(
        7, span(1, traceId=encode((7).to_bytes(16, 'big')).decode(),
                spanId=encode((1).to_bytes(8, 'big')).decode(),
                parentSpanId=''),
        span(171, 1, spanId='00000000000000AB'),
        span(205, 171, spanId='0x00000000000000cd'),
        span(4, 1, parentSpanId=encode((171).to_bytes(8, 'big')).decode()))
    yield '64-bit trace ids, zero and absent parents', body(
        8, span(1, traceId=f'{8:016x}', parentSpanId='0' * 16),
        span(2, traceId='0x' + f'{8:016x}', parentSpanId=None))
    yield 'snake case, names of enums, unknown fields', json.dumps({
        'resource_spans': [{'scope_spans': [{'spans': [{
            'trace_id': f'{9:032x}', 'span_id': f'{1:016x}', 'name': 'a',
            'kind': 'SPAN_KIND_CLIENT', 'start_time_unix_nano': START,
            'end_time_unix_nano': START + 5, 'new_field': {'a': [1, {}]},
            'status': {'code': 'STATUS_CODE_ERROR', 'message': 'no'},
            'attributes': [{'key': 'a', 'value': {'int_value': 3}}],
        }]}]}]})


def usages():
    """Whose tokens a span reports, and what it calls them."""
    chat = usage('chat', (100, 10))
    yield 'an agent repeats its calls', body(
        20, span(1, attrs=usage('invoke_agent', (200, 20)), end=90),
        span(2, 1, attrs=chat), span(3, 1, 20, 30, attrs=chat),
        span(4, 1, 40, 50, attrs=usage('execute_tool')))
    yield 'nested agents, one with totals only', body(
        21, span(1, attrs=usage('invoke_agent', (350, 35)), end=90),
        span(2, 1, attrs=chat),
        span(3, 1, 20, 30, attrs=usage('invoke_agent', (250, 25))),
        span(4, 3, 20, 30, attrs=usage('execute_tool', (250, 25))),
        span(5, 4, 20, 30, attrs=usage('execute_tool', (0, 0))))
    yield 'a call wraps a call; a tool below a call has usage', body(
        22, span(1, attrs=chat, end=90), span(2, 1, attrs=chat),
        span(3, start=50, attrs=chat, end=90),
        span(4, 3, 50, 60, attrs=usage('execute_tool', (7, 1))))
    yield 'Langfuse buckets exclude one another', body(
        23, span(1, attrs={
            'langfuse.observation.type': 'generation',
            'langfuse.observation.usage_details': json.dumps({
                'input': 10, 'input_cached_tokens': 64,
                'input_cache_creation': 5, 'output': 31,
                'output_reasoning_tokens': 11, 'total': 121})}),
        span(2, attrs={'langfuse.observation.type': 'generation',
                       'langfuse.observation.usage_details': "{'input': 3}"}),
        span(3, attrs={'langfuse.observation.type': 'SPAN',
                       'openinference.span.kind': 'retriever'}))
    yield 'tokens that are no number of tokens', body(
        24, *(span(n, attrs=usage('chat', (value, 5)))
              for n, value in enumerate(
                  ('1783', ' 12 ', '1.5', '', 'x', -1, 2.0, 2.5, True,
                   '-3', 0, '0'), 1)))
    yield 'cached tokens of GenAI are within the input', body(
        25, span(1, attrs=usage(
            'chat', (100, 50),
            **{'gen_ai.usage.cache_read.input_tokens': 60,
               'gen_ai.usage.cache_creation.input_tokens': 20,
               'gen_ai.usage.reasoning.output_tokens': 30})))
    cached = {'gen_ai.usage.cache_read.input_tokens': 60}
    yield 'an agent repeats what its calls read from the cache only', body(
        28, span(1, attrs=usage('invoke_agent', **cached), end=90),
        span(2, 1, attrs=usage('chat', (100, 10), **cached)))
    yield 'Langfuse buckets of the cache by how long it lives', body(
        29, *(span(n, attrs={
            'langfuse.observation.type': 'generation',
            'langfuse.observation.usage_details': json.dumps(buckets)})
            for n, buckets in enumerate((
                {'input': 10, 'input_cache_creation_5m': 5, 'output': 1},
                {'input': 10, 'input_cache_creation_5m': 5,
                 'input_cache_creation_1h': 3, 'output': 1},
                {'input': 10, 'input_cache_read': 7, 'output': 1},
                {'input': 10, 'output': 20, 'output_reasoning': 9}), 1)))
    for at, column in enumerate((*oracle.COUNTS, 'cost')):
        base = (None, None) if column in ('input', 'output') else (100, 100)
        yield f'every alias of {column}', body(30 + at, *(
            span(n, attrs=usage('chat', base, **{key: 7 + n})) for n, key
            in enumerate(sorted(oracle.ALIASES[column]), 1)))
    yield 'usage as MLflow writes it', body(36, span(1, attrs={
        'mlflow.spanType': 'CHAT_MODEL', 'mlflow.chat.tokenUsage': json.dumps(
            {'input_tokens': 12, 'output_tokens': 3, 'total_tokens': 15})}))


def meanings():
    """Kinds, names and errors (ingest.md, Canonical columns)."""
    failed = [{'name': 'exception', 'timeUnixNano': str(START),
               'attributes': pairs({'exception.type': 'Boom'})}]
    yield 'errors without a status', body(
        26, span(1, attrs={'error.type': 'timeout'}),
        span(2, events=failed), span(3, events=failed, status={'code': 1}),
        span(4, attrs={'langfuse.observation.level': 'ERROR'}),
        span(5, attrs={'langfuse.observation.level': 'WARNING'}),
        span(6, attrs={'http.response.status_code': 503}),
        span(7, attrs={'http.status_code': '500'}),
        span(8, attrs={'http.status_code': 499}),
        span(9, attrs={'error.type': 'timeout'}, status={'code': 1}),
        span(10, status={'code': 2}))
    words = {'gen_ai.operation.name': (
        'generate_content text_completion EMBEDDINGS retrieval create_agent '
        'invoke_workflow plan search_memory create_memory_store unheard_of'),
        'openinference.span.kind': (
            'LLM EMBEDDING CHAIN RETRIEVER RERANKER TOOL AGENT GUARDRAIL '
            'EVALUATOR PROMPT'),
        'traceloop.span.kind': 'workflow task agent tool',
        'llm.request.type': 'chat completion rerank embedding',
        'mlflow.spanType': 'CHAT_MODEL RETRIEVER UNKNOWN',
        'langsmith.span.kind': 'llm chain tool prompt parser',
        'raaf.span.kind': 'agent llm tool',
        'mastra.span.type': 'agent_step generation',
        'ai.operationId': (
            'ai.generateText ai.streamText ai.generateObject '
            'ai.streamObject ai.generateText.doGenerate '
            'ai.streamText.doStream ai.embed ai.embedMany ai.embed.doEmbed '
            'ai.toolCall ai.unheardOf')}
    every = [{key: word} for key, text in words.items()
             for word in text.split()]
    every += [{'gen_ai.tool.name': 'a'}, {'gen_ai.tool.call.id': 'a'},
              {'tool.name': 'a'}, {'gen_ai.retrieval.documents': '[]'},
              {'gen_ai.request.model': 'm', 'gen_ai.input.messages': '[]'},
              {'gen_ai.request.model': 'm'},
              {'traceloop.span.kind': 'tool', 'traceloop.entity.name': 'b'},
              {'langfuse.observation.type': 'tool'}, {}]
    yield 'words of kinds', body(27, *(
        span(n, attrs=attrs) for n, attrs in enumerate(every, 1)))
    yield 'operation.name of the Vercel SDK', body(44, *(
        span(n, attrs={'operation.name': word}) for n, word in enumerate((
            'ai.generateText.doGenerate', 'ai.toolCall', 'ai.generateText',
            'ai.streamText.doStream of-a-function', 'ai.unheardOf'), 1)))
    yield 'documents cut into many keys', body(
        45, span(1, attrs={'retrieval.documents.0.document.id': '1'}))
    yield from contradictions()
    yield from names()


def contradictions():
    """Kinds beside operations, and kinds that nothing states."""
    vendor, name = 'langfuse.observation.type', 'gen_ai.operation.name'
    yield 'a kind beside an operation', body(40, *(
        span(n, attrs=attrs) for n, attrs in enumerate((
            {vendor: 'generation', name: 'invoke_agent'},
            {vendor: 'generation', name: 'invoke_workflow'},
            {vendor: 'generation', name: 'chat'},
            {vendor: 'generation', name: 'execute_tool'},
            {vendor: 'generation', 'ai.operationId': 'ai.streamText'},
            {vendor: 'generation', 'ai.operationId': 'ai.embed'},
            {vendor: 'generation',
             'ai.operationId': 'ai.streamText.doStream'},
            {vendor: 'embedding', name: 'invoke_agent'},
            {vendor: 'tool', name: 'invoke_agent'},
            {vendor: 'agent', name: 'chat'},
            {vendor: 'span', name: 'chat'},
            {vendor: 'span', 'traceloop.span.kind': 'tool'}), 1)))
    model = {'gen_ai.request.model': 'm'}
    tokens = {'gen_ai.usage.output_tokens': 3}
    yield 'a model and its messages or its usage', body(41, *(
        span(n, attrs={**model, **attrs}) for n, attrs in enumerate((
            tokens, {'gen_ai.output.messages': '[]'},
            {**tokens, 'gen_ai.agent.name': 'a'},
            {**tokens, 'agent_name': 'a'}, {'gen_ai.agent.name': 'a'},
            {**tokens, 'gen_ai.tool.name': 'a'},
            {**tokens, 'traceloop.span.kind': 'task'},
            {**tokens, 'mastra.span.type': 'agent_step'}), 1)))
    yield 'messages cut into many keys', body(
        42, span(1, attrs={**model, 'gen_ai.prompt.0.content': 'a'}),
        span(2, attrs={'llm.model_name': 'm',
                       'llm.input_messages.0.message.content': 'a'}))
    yield 'fetching a response is no call', body(43, span(1, attrs={
        **model, name: 'fetch_response', 'gen_ai.output.messages': '[]'}))


def names():
    """Models, providers and tools by every alias."""
    for at, column in enumerate((
            'model_requested', 'model_responded', 'provider')):
        yield f'every alias of {column}', body(50 + at, *(
            span(n, attrs=usage('chat', **{key: 'a'})) for n, key
            in enumerate(sorted(oracle.ALIASES[column]), 1)))
    keys = oracle.ALIASES['tool_name'] + oracle.ALIASES['tool_call_id']
    for at, kind in enumerate(('execute_tool', 'chat')):
        yield f'every name and id of a tool, {kind}', body(53 + at, *(
            span(n, attrs=usage(kind, **{key: 'a'}))
            for n, key in enumerate(sorted(keys), 1)))
    yield 'a tool named by its span', body(55, *(
        span(n, name=name, attrs=usage('execute_tool'))
        for n, name in enumerate((
            'execute_tool search', 'search', 'execute_tool', 'execute_tool ',
            'Execute_tool x', 'execute_tool execute_tool x'), 1)))
    yield 'the type of an error of a span that did not fail', body(
        56, span(1, attrs={'error.type': 'a'}, status={'code': 1}),
        span(2, attrs={'http.response.status_code': 404}),
        span(3, attrs={'http.response.status_code': 404},
             status={'code': 2}))


def surroundings():
    """What a span has from those around it (columns.md, Views)."""
    place = {'deployment.environment': 'test', 'service.version': '2'}
    yield 'a place said by a span', body(
        60, span(1, attrs=place), span(2, 1, attrs=usage('chat')))
    yield 'an agent within an agent, and its calls', body(
        61, span(1, name='invoke_agent a', attrs=usage(
            'invoke_agent', **{'user.id': 'u', 'metadata.feature': 'f'})),
        span(2, 1, attrs=usage('chat', (5, 1))),
        span(3, 1, attrs=usage('invoke_agent', **{
            'gen_ai.agent.name': 'b', 'metadata.feature': 'g'})),
        span(4, 3, attrs=usage('chat', (7, 2))),
        span(5, 4, attrs=usage('execute_tool'), status={'code': 2}),
        span(6, 3, attrs=usage('invoke_agent')),
        span(7, attrs=usage('chat', (3, 1))))
    yield 'costs of calls, wrappers and agents', body(
        62, span(1, attrs=usage('invoke_agent', **{
            'gen_ai.usage.cost': 9.5})),
        span(2, 1, attrs=usage('chat', **{'gen_ai.usage.cost': 3.5})),
        span(3, 2, attrs=usage('chat', (5, 1), **{'llm.cost.total': 0.25})),
        span(4, 1, attrs=usage('chat', **{'gen_ai.usage.cost': 0.0})),
        span(5, 1, attrs=usage('chat', **{'gen_ai.usage.cost': -1.0})),
        span(6, 1, attrs=usage('chat', (8, 1), **{
            'gen_ai.request.model': 'x/a-2024-01-02'})),
        span(7, 1, attrs=usage('chat', (8, 1), **{
            'gen_ai.request.model': 'b'})))
    yield from attempts()
    yield 'why calls ended', body(66, *(
        span(n, attrs=usage('chat', **{key: word})) for n, (key, word)
        in enumerate(((key, word) for word in (
            'end_turn', 'MAX_TOKENS', 'tool-calls', '["tool_calls"]',
            '["Safety", "stop"]', '[]', '["', 'Odd', '')
            for key in oracle.ALIASES['finish_reason']), 1)))
    yield 'when the first token came', body(
        67, span(1, attrs=usage('chat', (1, 5), **{
            'gen_ai.response.time_to_first_chunk': 0.004})),
        span(2, attrs=usage('chat', (1, 1), **{
            'ai.response.msToFirstChunk': '4'})),
        span(3, attrs=usage('chat', (1, 5), **{
            'ai.response.msToFirstChunk': 40})),
        span(4, attrs=usage('chat', (1, 5)), events=[
            {'name': 'first_token', 'timeUnixNano': str(START + 3000000)}]),
        span(5, attrs=usage('chat', (1, 5)), events=[
            {'name': 'first_token', 'timeUnixNano': str(START - 3000000)}]))


def attempts():
    """Retries: said, seen in siblings, or told by events."""
    call = usage('execute_tool', **{'gen_ai.tool.call.arguments': 'x'})
    failed = {'status': {'code': 2}, 'name': 't'}
    yield 'siblings after one that failed', body(
        63, span(1), span(2, 1, 0, 2, attrs=call, **failed),
        span(3, 1, 3, 4, attrs=call, **failed),
        span(4, 1, 5, 6, attrs=call, name='t'),
        span(5, 1, 7, 8, attrs=call, name='t'),
        span(6, 1, 9, 10, name='t', attrs={
            **call, 'gen_ai.tool.call.arguments': 'y'}))
    yield 'siblings that overlap', body(
        64, span(1), span(2, 1, 0, 5, attrs=call, name='t'),
        span(3, 1, 1, 6, attrs=call, name='t'),
        span(4, 1, 0, 5, attrs=usage('chat'), name='c'),
        span(5, 1, 1, 6, attrs=usage('chat'), name='c'))
    yield 'attempts that are said', body(
        65, span(1, attrs=usage('chat', **{'retry.attempt': 3})),
        span(2, attrs=usage('chat', **{'opencode.llm.retry_count': 2})),
        span(3, attrs=usage('chat')),
        span(4, 3, attrs={'http.request.resend_count': 1}),
        span(5, 3, attrs={'http.request.resend_count': 4}),
        span(6, attrs=usage('chat'), events=[
            {'name': 'retry', 'timeUnixNano': str(START)}] * 2))


def cases():
    """(label, body of JSON) of all of them."""
    for group in (trees, wire, usages, meanings, surroundings):
        yield from group()
