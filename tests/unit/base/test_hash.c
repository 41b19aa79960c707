/* Hashes are the published ones, so that sha256sum can check us. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* FIPS 180-2, appendix B, and the empty text. */
static const struct {
    const char *text, *hex;
} known[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

static void sha256_is_sha256(void **state)
{
    char hex[HASH_HEX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        hash_sha256(hex, known[i].text, strlen(known[i].text));
        assert_string_equal(hex, known[i].hex);
    }
}

static void a_file_hashes_as_its_bytes(void **state)
{
    char path[] = "/tmp/loglog-hash-XXXXXX", hex[HASH_HEX];
    int fd = mkstemp(path);
    struct err e;

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        assert_int_equal(
            file_write(path, known[i].text, strlen(known[i].text), &e), 0);
        assert_int_equal(hash_sha256_file(hex, path, &e), 0);
        assert_string_equal(hex, known[i].hex);
    }
    unlink(path);
    assert_int_equal(hash_sha256_file(hex, path, &e), -1);
    assert_non_null(strstr(e.text, path));
}

/* The first 63 bits of the SHA-256: positive, and the same everywhere. */
static void an_id_is_the_head_of_the_hash(void **state)
{
    char text[32];

    (void)state;
    assert_true(hash_id("abc") == (int64_t)(UINT64_C(0xba7816bf8f01cfea) >> 1));
    assert_true(hash_id("") == (int64_t)(UINT64_C(0xe3b0c44298fc1c14) >> 1));
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "%d", i);
        assert_true(hash_id(text) > 0);
    }
}

/* XXH3 64-bit, seed 0, of the empty input: from xxHash's specification. */
static void xxh3_is_xxh3(void **state)
{
    char a[1000] = {0}, b[1000] = {0};

    (void)state;
    assert_true(hash_xxh3("", 0) == UINT64_C(0x2d06800538d394c2));
    for (size_t i = 0; i < sizeof b; i += 37) {
        b[i] = 1;
        assert_true(hash_xxh3(a, sizeof a) != hash_xxh3(b, sizeof b));
        b[i] = 0;
    }
    assert_true(hash_xxh3(a, sizeof a) == hash_xxh3(b, sizeof b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_is_sha256),
        cmocka_unit_test(a_file_hashes_as_its_bytes),
        cmocka_unit_test(an_id_is_the_head_of_the_hash),
        cmocka_unit_test(xxh3_is_xxh3),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
