/* Any text: spec_parse either refuses it and changes nothing, or gives a spec
 * that prints to a text which reads back to the same spec. */
#include "base/mem.h"
#include "sweep/spec.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run_spec s, was, back;
    struct str text, again;
    struct err e;
    char *in = xmalloc(size + 1);

    memcpy(in, data, size);
    in[size] = '\0';
    spec_defaults(&s);
    was = s;
    str_init(&text);
    str_init(&again);
    if (spec_parse(&s, in, &e)) {
        BUG_ON(memcmp(&s, &was, sizeof s));
    } else {
        spec_print(&text, &s);
        spec_defaults(&back);
        BUG_ON(spec_parse(&back, text.text, &e));
        spec_print(&again, &back);
        BUG_ON(strcmp(text.text, again.text));
        BUG_ON(spec_id(&s) != spec_id(&back));
        if (!spec_check(&s, &e))
            BUG_ON(spec_tokens(&s) <= 0);
    }
    str_release(&text);
    str_release(&again);
    free(in);
    return 0;
}
