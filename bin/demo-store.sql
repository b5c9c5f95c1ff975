-- A store for the demo, with prices of the models that its traces speak of:
-- made up, as the traces are. load_prices takes LiteLLM's file in this shape.
select llmtrace.create_store();
select * from llmtrace.load_prices('{
    "gpt-4o":                 {"litellm_provider": "openai",    "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05, "cache_read_input_token_cost": 1.25e-06},
    "gpt-4o-mini":            {"litellm_provider": "openai",    "input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-07, "cache_read_input_token_cost": 7.5e-08},
    "text-embedding-3-small": {"litellm_provider": "openai",    "input_cost_per_token": 2e-08},
    "claude-sonnet-4-5":      {"litellm_provider": "anthropic", "input_cost_per_token": 3e-06,   "output_cost_per_token": 1.5e-05, "cache_read_input_token_cost": 3e-07},
    "claude-haiku-4-5":       {"litellm_provider": "anthropic", "input_cost_per_token": 1e-06,   "output_cost_per_token": 5e-06, "cache_read_input_token_cost": 1e-07},
    "gemini-2.5-pro":         {"litellm_provider": "gemini",    "input_cost_per_token": 1.25e-06, "output_cost_per_token": 1e-05}}');
