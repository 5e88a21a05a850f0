/*
 * seal.c
 *		AES-256-GCM sealing of credentials, and the ring of keys.
 *
 * Text form: "es1:<key id>:<base64 of nonce, ciphertext, tag>".  The key id is
 * the first eight hex digits of the SHA-256 of the derived key, so that the
 * right key of a ring is found without trying each.  The nonce is 96 random
 * bits, fresh for every seal (NIST SP 800-38D, 8.2.2).  The additional data
 * are the version, the key id and the caller's context, so that a value moved
 * to another row does not open.
 *
 * A value of the earlier application, "base64(iv):base64(ciphertext):
 * base64(tag)" with a 16-byte IV and no additional data, opens under any
 * context: it has none.
 *
 * Keys are derived by scrypt (N=16384, r=8, p=1), the parameters the earlier
 * application used, once a process and set of secrets.
 *
 * No other file sees an OpenSSL cipher or a derived key.
 */
#include "postgres.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "common/base64.h"
#include "storage/ipc.h"

#include "config/seal.h"
#include "config/secrets.h"
#include "config/undumped.h"
#include "pg_compat.h"

#define SEAL_PREFIX "es1:"
#define KEY_LEN 32
#define KEY_ID_LEN 8
#define NONCE_LEN 12
#define LEGACY_NONCE_LEN 16
#define TAG_LEN 16

typedef struct SealKey
{
	unsigned char key[KEY_LEN];
	char		id[KEY_ID_LEN + 1];
} SealKey;

#define RING_SIZE ((1 + SECRETS_MAX_PREVIOUS_KEYS) * sizeof(SealKey))

/* The ring: [0] is the current key.  NULL before the first use. */
static SealKey *ring = NULL;
static int	ring_len = 0;
static int	ring_generation = -1;

static void
ring_wipe(int code, Datum arg)
{
	OPENSSL_cleanse(ring, RING_SIZE);
	ring_len = 0;
}

static bool
ring_derive(SealKey *slot, const char *secret, const char *salt)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];

	if (EVP_PBE_scrypt(secret, strlen(secret), (const unsigned char *) salt,
					   strlen(salt), 16384, 8, 1, 64 * 1024 * 1024,
					   slot->key, KEY_LEN) != 1)
		return false;
	SHA256(slot->key, KEY_LEN, digest);
	for (int i = 0; i < KEY_ID_LEN / 2; i++)
		snprintf(slot->id + 2 * i, 3, "%02x", digest[i]);
	return true;
}

/* Bring the ring up to the secrets in force. */
static void
ring_load(void)
{
	const Secrets *secrets = secrets_current();

	if (ring_generation == secrets_generation())
		return;
	if (ring == NULL)
	{
		ring = undumped_alloc(RING_SIZE);
		on_proc_exit(ring_wipe, 0);
	}
	ring_wipe(0, 0);
	ring_generation = secrets_generation();
	if (secrets->encryption_key == NULL)
		return;
	if (!ring_derive(&ring[0], secrets->encryption_key, secrets->encryption_salt))
		return;
	ring_len = 1;
	for (int i = 0; i < secrets->n_previous_keys; i++)
	{
		if (!ring_derive(&ring[ring_len], secrets->previous_keys[i],
						 secrets->encryption_salt))
			break;
		ring_len++;
	}
}

static char *
encode_base64(const unsigned char *bytes, int len)
{
	int			size = pg_b64_enc_len(len);
	char	   *text = palloc(size + 1);
	int			written = pg_b64_encode(bytes, len, text, size);

	if (written < 0)
		elog(ERROR, "could not encode sealed value");
	text[written] = '\0';
	return text;
}

/*
 * Only the one text that encode_base64 makes of the bytes: pg_b64_decode takes
 * others with them, since it does not look at what padding leaves over, and an
 * altered value would open.
 */
static unsigned char *
decode_base64(const char *text, int len, int *out_len)
{
	int			size = pg_b64_dec_len(len) + 1;
	unsigned char *bytes = palloc(size);
	char	   *again;

	*out_len = pg_b64_decode(text, len, bytes, size);
	if (*out_len < 0)
		return NULL;
	again = encode_base64(bytes, *out_len);
	return strlen(again) == len && memcmp(again, text, len) == 0 ? bytes : NULL;
}

static bool
gcm_encrypt(const SealKey *key, const unsigned char *nonce, const char *aad,
			const char *plain, int len, unsigned char *out, unsigned char *tag)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int			n;
	bool		ok;

	ok = ctx != NULL &&
		EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->key, nonce) == 1 &&
		EVP_EncryptUpdate(ctx, NULL, &n, (const unsigned char *) aad, strlen(aad)) == 1 &&
		EVP_EncryptUpdate(ctx, out, &n, (const unsigned char *) plain, len) == 1 &&
		EVP_EncryptFinal_ex(ctx, out + n, &n) == 1 &&
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_LEN, tag) == 1;
	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

static bool
gcm_decrypt(const SealKey *key, const unsigned char *nonce, int nonce_len,
			const char *aad, const unsigned char *in, int len,
			const unsigned char *tag, char *plain)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int			n;
	bool		ok;

	ok = ctx != NULL &&
		EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, NULL, NULL) == 1 &&
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_IVLEN, nonce_len, NULL) == 1 &&
		EVP_DecryptInit_ex(ctx, NULL, NULL, key->key, nonce) == 1 &&
		(aad == NULL ||
		 EVP_DecryptUpdate(ctx, NULL, &n, (const unsigned char *) aad, strlen(aad)) == 1) &&
		EVP_DecryptUpdate(ctx, (unsigned char *) plain, &n, in, len) == 1 &&
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_LEN, (void *) tag) == 1 &&
		EVP_DecryptFinal_ex(ctx, (unsigned char *) plain + n, &n) == 1;
	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

char *
seal_text(const char *plain, const char *context)
{
	int			len = strlen(plain);
	unsigned char *bytes = palloc(NONCE_LEN + len + TAG_LEN);
	char	   *aad;

	ring_load();
	if (ring_len == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("no encryption key is set"),
				 secrets_problem() ? errdetail("%s.", secrets_problem()) : 0,
				 errhint("Set INTEGRATION_ENCRYPTION_KEY and INTEGRATION_ENCRYPTION_SALT in the file that echosync.env_file names, then reload the configuration.")));

	aad = psprintf(SEAL_PREFIX "%s:%s", ring[0].id, context);
	if (RAND_bytes(bytes, NONCE_LEN) != 1 ||
		!gcm_encrypt(&ring[0], bytes, aad, plain, len,
					 bytes + NONCE_LEN, bytes + NONCE_LEN + len))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not seal a credential")));
	return psprintf(SEAL_PREFIX "%s:%s", ring[0].id,
					encode_base64(bytes, NONCE_LEN + len + TAG_LEN));
}

static char *
open_current_form(const char *sealed, const char *context, const char **reason)
{
	const char *key_id = sealed + strlen(SEAL_PREFIX);
	const char *colon = strchr(key_id, ':');
	unsigned char *bytes;
	char	   *plain;
	int			len;

	if (colon == NULL || colon - key_id != KEY_ID_LEN)
	{
		*reason = "the sealed value is malformed";
		return NULL;
	}
	bytes = decode_base64(colon + 1, strlen(colon + 1), &len);
	if (bytes == NULL || len < NONCE_LEN + TAG_LEN)
	{
		*reason = "the sealed value is malformed";
		return NULL;
	}
	len -= NONCE_LEN + TAG_LEN;
	for (int i = 0; i < ring_len; i++)
	{
		if (strncmp(ring[i].id, key_id, KEY_ID_LEN) != 0)
			continue;
		plain = palloc0(len + 1);
		if (gcm_decrypt(&ring[i], bytes, NONCE_LEN,
						psprintf(SEAL_PREFIX "%s:%s", ring[i].id, context),
						bytes + NONCE_LEN, len, bytes + NONCE_LEN + len, plain))
			return plain;
		seal_wipe(plain);
		*reason = "the sealed value was altered or belongs to another row";
		return NULL;
	}
	*reason = "it was sealed with a key that is not in force";
	return NULL;
}

static char *
open_legacy_form(const char *sealed, const char **reason)
{
	const char *body = strchr(sealed, ':');
	const char *tag = body ? strchr(body + 1, ':') : NULL;
	unsigned char *iv_bytes,
			   *body_bytes,
			   *tag_bytes;
	int			iv_len,
				body_len,
				tag_len;
	char	   *plain;

	*reason = "the sealed value is malformed";
	if (tag == NULL)
		return NULL;
	iv_bytes = decode_base64(sealed, body - sealed, &iv_len);
	body_bytes = decode_base64(body + 1, tag - body - 1, &body_len);
	tag_bytes = decode_base64(tag + 1, strlen(tag + 1), &tag_len);
	if (iv_bytes == NULL || body_bytes == NULL || tag_bytes == NULL ||
		iv_len != LEGACY_NONCE_LEN || tag_len != TAG_LEN)
		return NULL;

	*reason = "the sealed value was altered or its key is not in force";
	for (int i = 0; i < ring_len; i++)
	{
		plain = palloc0(body_len + 1);
		if (gcm_decrypt(&ring[i], iv_bytes, iv_len, NULL, body_bytes, body_len,
						tag_bytes, plain))
			return plain;
		seal_wipe(plain);
	}
	return NULL;
}

char *
seal_open(const char *sealed, const char *context, const char **reason)
{
	ring_load();
	if (ring_len == 0)
	{
		*reason = "no encryption key is set";
		return NULL;
	}
	if (strncmp(sealed, SEAL_PREFIX, strlen(SEAL_PREFIX)) == 0)
		return open_current_form(sealed, context, reason);
	return open_legacy_form(sealed, reason);
}

bool
seal_ready(void)
{
	ring_load();
	return ring_len > 0;
}

bool
seal_is_current(const char *sealed)
{
	ring_load();
	return ring_len > 0 &&
		strncmp(sealed, SEAL_PREFIX, strlen(SEAL_PREFIX)) == 0 &&
		strncmp(sealed + strlen(SEAL_PREFIX), ring[0].id, KEY_ID_LEN) == 0;
}

void
seal_wipe(char *secret)
{
	if (secret == NULL)
		return;
	OPENSSL_cleanse(secret, strlen(secret));
	pfree(secret);
}
