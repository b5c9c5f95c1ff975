/*
 * regex_shim.c
 *		Stands in for regular expressions, which are the backend's: a pattern
 *		matches what it is equal to.
 */
#include "shim.h"

#include "kernel/tracequery.h"

struct QueryRegex
{
	Bytes		pattern;
};

void
query_regex_check(Bytes pattern, const char **problem)
{
	*problem = pattern.len > 0 && pattern.data[0] == '(' ? "no parentheses here" : NULL;
}

QueryRegex *
query_regex_compile(Bytes pattern)
{
	QueryRegex *regex = palloc(sizeof(QueryRegex));

	regex->pattern = pattern;
	return regex;
}

bool
query_regex_matches(QueryRegex *regex, Bytes subject, bool is_stored)
{
	return bytes_equal(regex->pattern, subject);
}
