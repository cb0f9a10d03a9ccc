// SPDX-License-Identifier: Apache-2.0
#include "tests/support/manifest_sample.h"

#include "base/json.h"
#include "tests/support/expect.h"

#include <stdlib.h>

struct manifest *manifest_accepts_text(const char *text)
{
    struct error e;
    struct manifest *m = NULL;
    assert_ok(manifest_parse((const uint8_t *)text, strlen(text), &m, &e));
    return m;
}

void manifest_refuses_text(const char *sentence, const char *text)
{
    struct error e;
    struct manifest *m = NULL;
    assert_fails(ERR_FORMAT, sentence, manifest_parse((const uint8_t *)text, strlen(text), &m, &e));
    assert_null(m);
}

static json_t *manifest_sample(void)
{
    json_t *root = json_loads(MANIFEST_SMALLEST, 0, NULL);
    assert_non_null(root);
    return root;
}

void manifest_refuses(const char *sentence, json_t *root)
{
    char *text = json_canonical(root);
    assert_non_null(text);
    manifest_refuses_text(sentence, text);
    free(text);
    json_decref(root);
}

struct manifest *manifest_accepts(json_t *root)
{
    char *text = json_canonical(root);
    assert_non_null(text);
    struct manifest *m = manifest_accepts_text(text);
    free(text);
    json_decref(root);
    return m;
}

json_t *manifest_with(const char *key, json_t *value)
{
    json_t *root = manifest_sample();
    if (value == NULL) {
        assert_int_equal(json_object_del(root, key), 0);
    } else {
        assert_int_equal(json_object_set_new(root, key, value), 0);
    }
    return root;
}

json_t *manifest_with_inside(const char *object, size_t index, const char *key, json_t *value)
{
    json_t *root = manifest_sample();
    json_t *obj = object != NULL ? json_object_get(root, object)
                                 : json_array_get(json_object_get(root, "partitions"), index);
    assert_non_null(obj);
    if (value == NULL) {
        assert_int_equal(json_object_del(obj, key), 0);
    } else {
        assert_int_equal(json_object_set_new(obj, key, value), 0);
    }
    return root;
}

json_t *json_list_of(size_t count, const char *text)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(json_array_append_new(array, json_string(text)), 0);
    }
    return array;
}
