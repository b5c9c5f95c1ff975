/*
 * compat.h
 *		Every test of PG_VERSION_NUM, each with the upstream change it follows.
 */
#ifndef LLMTRACE_COMPAT_H
#define LLMTRACE_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "llmtrace needs PostgreSQL 15 or later"
#endif

/* 16 split varlena macros out of postgres.h (d952373a987) */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/*
 * 17 lets the caller provide the JsonLexContext and needs the input const
 * (1c99cde2f34); before, it was always allocated.
 */
#if PG_VERSION_NUM >= 170000
#define compat_make_json_lexer(json, len, unescape) \
	makeJsonLexContextCstringLen(NULL, (json), (len), PG_UTF8, (unescape))
#else
#define compat_make_json_lexer(json, len, unescape) \
	makeJsonLexContextCstringLen(unconstify(char *, (json)), (len), PG_UTF8, (unescape))
#endif

#endif							/* LLMTRACE_COMPAT_H */
