/*
 * flip_recv.c
 *		Receives every small damage to the binary forms that it is given.
 *
 * Where fuzzing tries what it finds interesting, this tries all of a kind:
 * each truncation of each file, and each byte of it with one bit flipped, as 0
 * and as 255; and likewise of what it is compressed.  What is done with each
 * is what fuzz_recv does.
 */
#include "fuzz.h"

#include <sanitizer/common_interface_defs.h>

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Form
{
	const char *file;
	Codec		codec;
	size_t		size;
	uint8		data[1024 * 1024];
} Form;

static Form form;
static const char *damage;
static size_t place;			/* of the damage */
static uint64 accepted;
static uint64 refused;

/* Die of abort() as of anything else the sanitizers see. */
const char *
__asan_default_options(void)
{
	return "handle_abort=1";
}

static void
say_where(void)
{
	fprintf(stderr, "%s, codec %d, byte %zu %s\n", form.file, form.codec, place, damage);
}

/* Receive a copy, which the address sanitizer guards; true if it got in. */
static bool
receive(size_t size, const char *what)
{
	uint8	   *copy = malloc(Max(size, 1));
	bool		is_accepted;

	damage = what;
	memcpy(copy, form.data, size);
	shim_last_error[0] = '\0';
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);

	/* whoever refuses says why */
	is_accepted = shim_last_error[0] == '\0';
	if (is_accepted)
		accepted++;
	else
		refused++;
	return is_accepted;
}

static void
receive_damaged(void)
{
	fuzz_expect(receive(form.size, "as it was"), "what is not damaged is received");
	for (place = 0; place < form.size; place++)
	{
		uint8		byte = form.data[place];

		receive(place, "and on cut off");
		for (int bit = 0; bit < 8; bit++)
		{
			form.data[place] = byte ^ (1 << bit);
			receive(form.size, "with a bit flipped");
		}
		form.data[place] = 0;
		receive(form.size, "as 0");
		form.data[place] = 0xff;
		receive(form.size, "as 255");
		form.data[place] = byte;
	}
	place = 0;
}

/* Replace an uncompressed form by a compressed one. */
static void
compress_form(void *arg)
{
	char	   *bytes = palloc(VARHDRSZ + form.size);
	struct varlena *datum;

	memcpy(bytes + VARHDRSZ, form.data, form.size);
	SET_VARSIZE(bytes, VARHDRSZ + form.size);
	datum = trajectory_receive(bytes, VARSIZE(bytes), form.codec);
	form.size = VARSIZE(datum) - VARHDRSZ;
	memcpy(form.data, VARDATA(datum), form.size);
}

static void
read_form(const char *path)
{
	FILE	   *file = fopen(path, "rb");

	if (file == NULL)
	{
		perror(path);
		exit(1);
	}
	form.file = path;
	form.size = fread(form.data, 1, sizeof(form.data), file);
	fuzz_expect(form.size > 0 && form.size < sizeof(form.data), "a file is of a size to try");
	fclose(file);
}

int
main(int argc, char **argv)
{
	__sanitizer_set_death_callback(say_where);
	for (int i = 1; i < argc; i++)
	{
		for (form.codec = CODEC_RAW; form.codec <= CODEC_LZ4; form.codec++)
		{
			read_form(argv[i]);
			fuzz_expect(shim_run(compress_form, NULL), "a form can be compressed");
			receive_damaged();
		}
	}
	fuzz_expect(accepted > 0 && refused > 0, "there was something to try");
	printf("ok - flip recv, " UINT64_FORMAT " values accepted, " UINT64_FORMAT " refused\n",
		   accepted, refused);
	return 0;
}
