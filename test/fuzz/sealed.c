/*
 * sealed.c
 *		Fuzz target: opening sealed text.
 *
 * The input says by its first character what is done:
 *
 *	o	the rest is opened as it is
 *	a	sealed text is altered: the next character says where, counted from its
 *		end, the one after how many characters go; the rest of the line comes
 *		in, and what follows it is the text that is sealed
 *	l	the same with the form of the earlier application
 *
 * What is sealed opens, under its own context alone, and what was altered
 * never does.  The keys are those of run.sh.
 */
#include "fuzz.h"

#include "config/seal.c"

#define CONTEXT "00000000-0000-4000-8000-000000000001:user"

/* Seal as the earlier application did. */
static char *
seal_legacy(const char *plain)
{
	static const unsigned char iv[LEGACY_NONCE_LEN] = "0123456789abcde";
	unsigned char tag[TAG_LEN];
	unsigned char *body = palloc(strlen(plain) + 1);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int			n;

	ring_load();
	PROMISE(EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, NULL, NULL) == 1);
	PROMISE(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_IVLEN, sizeof(iv), NULL) == 1);
	PROMISE(EVP_EncryptInit_ex(ctx, NULL, NULL, ring[ring_len - 1].key, iv) == 1);
	PROMISE(EVP_EncryptUpdate(ctx, body, &n, (const unsigned char *) plain, strlen(plain)) == 1);
	PROMISE(EVP_EncryptFinal_ex(ctx, body + n, &n) == 1);
	PROMISE(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_LEN, tag) == 1);
	EVP_CIPHER_CTX_free(ctx);
	return psprintf("%s:%s:%s", encode_base64(iv, sizeof(iv)),
					encode_base64(body, strlen(plain)), encode_base64(tag, TAG_LEN));
}

/* "<where><how much><what comes>"; letters of the alphabet stand for 1 to 26. */
static char *
alter(const char *sealed, const char *how)
{
	size_t		len = strlen(sealed);
	size_t		position = len - (how[0] ? how[0] & 0x7F : 0) % (len + 1);
	size_t		cut = how[0] && how[1] ? how[1] & 0x1F : 0;

	if (cut > len - position)
		cut = len - position;
	return psprintf("%.*s%s%s", (int) position, sealed,
					how[0] && how[1] ? how + 2 : "", sealed + position + cut);
}

static void
judge_altered(bool legacy, char *rest)
{
	const char *reason = NULL;
	char	   *how = fuzz_line(&rest);
	char	   *plain = rest ? rest : "";
	char	   *sealed = legacy ? seal_legacy(plain) : seal_text(plain, CONTEXT);
	char	   *altered = alter(sealed, how);
	char	   *opened = seal_open(sealed, CONTEXT, &reason);

	PROMISE(opened != NULL && strcmp(opened, plain) == 0);
	seal_wipe(opened);
	if (!legacy)
	{
		PROMISE(seal_is_current(sealed));
		PROMISE(seal_open(sealed, CONTEXT "2", &reason) == NULL && reason != NULL);
	}
	reason = NULL;
	if (strcmp(altered, sealed) != 0)
		PROMISE(seal_open(altered, CONTEXT, &reason) == NULL && reason != NULL);
}

void
fuzz_sealed(const char *data, size_t size)
{
	char	   *text = fuzz_text(data, size);
	const char *reason = NULL;
	char	   *opened;

	PROMISE(seal_ready());
	if (text[0] == 'a' || text[0] == 'l')
	{
		judge_altered(text[0] == 'l', text + 1);
		return;
	}
	opened = seal_open(text[0] == 'o' ? text + 1 : text, CONTEXT, &reason);
	PROMISE(opened != NULL || reason != NULL);
	seal_wipe(opened);
}
