/*
 * shim.c
 *		Running kernel code outside the server.
 *
 * Stands in for the little of the backend that the algorithms use: memory
 * contexts, each allocation of them a malloc of its own, so that the address
 * sanitizer sees every overrun and every use after a context is gone; and
 * ereport, which jumps back to the caller.  The rest (JSON lexer, hashes,
 * base64, encodings, pglz) comes from PostgreSQL's libpgcommon.
 */
#include "shim.h"

#include <setjmp.h>
#include <stdarg.h>

#include "common/jsonapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/memnodes.h"
#include "utils/memutils.h"

typedef struct ShimContext ShimContext;

typedef struct Chunk
{
	struct Chunk *prev;
	struct Chunk *next;
	ShimContext *context;
	size_t		size;
} Chunk;

struct ShimContext
{
	MemoryContextData base;
	ShimContext *parent;
	ShimContext *first_child;
	ShimContext *next_sibling;
	Chunk		chunks;			/* head of a ring */
};

static ShimContext top = {.chunks = {.prev = &top.chunks,.next = &top.chunks}};
static jmp_buf *catcher;

MemoryContext CurrentMemoryContext = (MemoryContext) &top;
MemoryContext ErrorContext = (MemoryContext) &top;
volatile sig_atomic_t InterruptPending = false;

void
ProcessInterrupts(void)
{
}

/* -------------------------------------------------------------- memory --- */

static void *
allocate(ShimContext *context, size_t size, bool zero)
{
	Chunk	   *c = malloc(sizeof(Chunk) + size);

	if (c == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	*c = (Chunk) {
		.prev = &context->chunks,.next = context->chunks.next,.context = context,.size = size
	};
	c->prev->next = c;
	c->next->prev = c;
	memset(c + 1, zero ? 0 : 0x7f, size);
	return c + 1;
}

/* Of NULL, too: libpgcommon is made for clients, where that may be freed. */
void
pfree(void *pointer)
{
	Chunk	   *c;

	if (pointer == NULL)
		return;
	c = (Chunk *) pointer - 1;
	c->prev->next = c->next;
	c->next->prev = c->prev;
	free(c);
}

static void *
reallocate(void *pointer, size_t size)
{
	Chunk	   *c = (Chunk *) pointer - 1;
	void	   *copy = allocate(c->context, size, false);

	memcpy(copy, pointer, Min(size, c->size));
	pfree(pointer);
	return copy;
}

static void
reset(ShimContext *context)
{
	while (context->first_child)
	{
		ShimContext *child = context->first_child;

		context->first_child = child->next_sibling;
		reset(child);
		free(child);
	}
	while (context->chunks.next != &context->chunks)
		pfree(context->chunks.next + 1);
}

MemoryContext
AllocSetContextCreateInternal(MemoryContext parent, const char *name,
							  Size min_size, Size init_size, Size max_size)
{
	ShimContext *context = calloc(1, sizeof(ShimContext));

	context->chunks.prev = context->chunks.next = &context->chunks;
	context->parent = (ShimContext *) parent;
	context->next_sibling = context->parent->first_child;
	context->parent->first_child = context;
	return (MemoryContext) context;
}

void
MemoryContextReset(MemoryContext context)
{
	reset((ShimContext *) context);
}

void
MemoryContextDelete(MemoryContext context)
{
	ShimContext *c = (ShimContext *) context;
	ShimContext **link = &c->parent->first_child;

	while (*link != c)
		link = &(*link)->next_sibling;
	*link = c->next_sibling;
	reset(c);
	free(c);
}

void *
MemoryContextAlloc(MemoryContext context, Size size)
{
	return allocate((ShimContext *) context, size, false);
}

void *
MemoryContextAllocZero(MemoryContext context, Size size)
{
	return allocate((ShimContext *) context, size, true);
}

void *
MemoryContextAllocHuge(MemoryContext context, Size size)
{
	return allocate((ShimContext *) context, size, false);
}

void *
MemoryContextAllocExtended(MemoryContext context, Size size, int flags)
{
	return allocate((ShimContext *) context, size, (flags & MCXT_ALLOC_ZERO) != 0);
}

void *
palloc(Size size)
{
	return MemoryContextAlloc(CurrentMemoryContext, size);
}

void *
palloc0(Size size)
{
	return MemoryContextAllocZero(CurrentMemoryContext, size);
}

void *
palloc_extended(Size size, int flags)
{
	return MemoryContextAllocExtended(CurrentMemoryContext, size, flags);
}

void *
repalloc(void *pointer, Size size)
{
	return reallocate(pointer, size);
}

void *
repalloc_huge(void *pointer, Size size)
{
	return reallocate(pointer, size);
}

char *
pstrdup(const char *in)
{
	return strcpy(palloc(strlen(in) + 1), in);
}

char *
pnstrdup(const char *in, Size len)
{
	size_t		n = strnlen(in, len);
	char	   *out = palloc(n + 1);

	memcpy(out, in, n);
	out[n] = '\0';
	return out;
}

/* What libpgcommon itself allocates with. */
void *
pg_malloc(size_t size)
{
	return palloc(size);
}

void *
pg_malloc0(size_t size)
{
	return palloc0(size);
}

void *
pg_malloc_extended(size_t size, int flags)
{
	return palloc_extended(size, flags);
}

void *
pg_realloc(void *pointer, size_t size)
{
	return pointer ? reallocate(pointer, size) : palloc(size);
}

void
pg_free(void *pointer)
{
	pfree(pointer);
}

char *
pg_strdup(const char *in)
{
	return pstrdup(in);
}

/* -------------------------------------------------------------- errors --- */

bool
errstart(int elevel, const char *domain)
{
	return elevel >= ERROR;
}

bool
errstart_cold(int elevel, const char *domain)
{
	return errstart(elevel, domain);
}

void
errfinish(const char *filename, int lineno, const char *funcname)
{
	longjmp(*catcher, 1);
}

int
errcode(int sqlerrcode)
{
	return 0;
}

char		shim_last_error[1024];

/* Formats its arguments, so that a wrong one is noticed. */
#define SHIM_MESSAGE(name) \
int \
name(const char *fmt,...) \
{ \
	va_list		args; \
\
	va_start(args, fmt); \
	vsnprintf(shim_last_error, sizeof(shim_last_error), fmt, args); \
	va_end(args); \
	return 0; \
}

SHIM_MESSAGE(errmsg)
SHIM_MESSAGE(errmsg_internal)
SHIM_MESSAGE(errdetail)
SHIM_MESSAGE(errdetail_internal)
SHIM_MESSAGE(errhint)

/* ---------------------------------------------------------------- rest --- */

int
pg_encoding_mbcliplen(int encoding, const char *s, int len, int limit)
{
	int			clipped = 0;

	while (clipped < len)
	{
		int			l = pg_encoding_mblen_bounded(encoding, s + clipped);

		if (clipped + l > limit || clipped + l > len)
			break;
		clipped += l;
	}
	return clipped;
}

/* Only for the backend before PostgreSQL 17; where there is one, it wins. */
__attribute__((weak)) char *
json_errdetail(JsonParseErrorType error, JsonLexContext *lex)
{
	return pstrdup("The input is malformed.");
}

bool
shim_try(void (*run) (void *arg), void *arg)
{
	jmp_buf		here;
	jmp_buf    *outer = catcher;
	MemoryContext context = CurrentMemoryContext;
	bool		is_done = false;

	catcher = &here;
	if (setjmp(here) == 0)
	{
		run(arg);
		is_done = true;
	}
	catcher = outer;
	CurrentMemoryContext = context;
	return is_done;
}

bool
shim_run(void (*run) (void *arg), void *arg)
{
	bool		is_done = shim_try(run, arg);

	reset(&top);
	return is_done;
}
