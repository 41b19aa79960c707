/* cmd_data_synth: `loglog data synth`. */
#include "runner/cmd.h"
#include "runner/cmd_data.h"
#include "trainer/pack_stage.h"
#include "trainer/synth.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

static const struct command synth_command = {
    "data synth", "data synth --out DIR",
    "text from a source whose entropy is known",
    "  Words of a Zipf distribution follow one another as a Markov chain: "
    "with\n"
    "  probability --coupling the next word is one of the --successors of the\n"
    "  last, else any.  The entropy rate in bits a byte is computed, printed "
    "and\n"
    "  kept in the manifests: no model can have a lower loss, and a fitted\n"
    "  irreducible loss can be compared with it.  `sample` is what the source\n"
    "  itself needs for this very text.\n"
    "\n"
    "  loglog data synth --out data/synth --bytes 5e7\n"
    "  loglog data synth --out data/hard --coupling 0.3 --words 20000\n",
    NULL};

static int write_sets(const char *stage, const struct synth *s,
                      const int64_t bytes[2], struct err *e)
{
    static const char *const names[] = {"train", "valid"};

    printf("entropy %.6f bits per byte\n\n", synth_entropy(s));
    printf("%-12s %10s %12s %8s  %s\n", "set", "documents", "bytes", "sample",
           "sha256");
    for (uint32_t k = 0; k < 2; k++) {
        struct shard_info info;
        char dir[PATH_MAX];
        double bits;

        if (snprintf(dir, sizeof dir, "%s/%s", stage, names[k]) >=
            (int)sizeof dir)
            return err_set(e, ERR_USAGE, "%.200s: path too long", stage);
        if (synth_pack(&info, &bits, dir, s, k, bytes[k], e))
            return -1;
        printf("%-12s %10" PRId64 " %12" PRId64 " %8.6f  %.12s\n", names[k],
               info.documents, info.bytes, bits, info.sha256);
    }
    return 0;
}

int data_synth(int argc, char **argv)
{
    int64_t bytes[2] = {50000000, 1000000}, seed;
    const char *out = NULL, **args;
    int force = 0, unchanged = 0, n, rc;
    struct pack_stage stage;
    struct synth_options o;
    struct synth *s = NULL;
    struct err e;

    synth_defaults(&o);
    seed = (int64_t)o.seed;
    /* clang-format off */
    const struct opt opts[] = {
        {"out", 'o', OPT_STRING, &out, "DIR", "where DIR/train and DIR/valid go"},
        {"bytes", 0, OPT_INT, &bytes[0], "N", "of training text (5e7)"},
        {"valid-bytes", 0, OPT_INT, &bytes[1], "N", "of validation text (1e6)"},
        {"words", 0, OPT_INT, &o.words, "N", "in the language (4096)"},
        {"successors", 0, OPT_INT, &o.successors, "N", "of each word (16)"},
        {"zipf", 0, OPT_DOUBLE, &o.zipf, "S", "exponent of the frequencies (1)"},
        {"coupling", 0, OPT_DOUBLE, &o.coupling, "C", "how often a successor comes (0.8)"},
        {"document-words", 0, OPT_DOUBLE, &o.document_words, "N", "mean length of a document (500)"},
        {"seed", 0, OPT_INT, &seed, "N", "another language (1)"},
        {"force", 'f', OPT_FLAG, &force, NULL, "replace other content of DIR"},
        OPT_END};
    /* clang-format on */

    rc = opts_parse(&synth_command, opts, argc, argv, &args, &n, 0, 0, &e);
    if (rc)
        return rc > 0 ? 0 : opts_fail(&e);
    if (!out || bytes[0] < 1 || bytes[1] < 1) {
        err_set(
            &e, ERR_USAGE,
            "data synth: --out DIR is needed, and at least one byte of each "
            "text");
        return opts_fail(&e);
    }
    o.seed = (uint64_t)seed;
    if (synth_create(&s, &o, &e)) {
        err_prefix(&e, "data synth: ");
        return opts_fail(&e);
    }
    rc = pack_stage_begin(&stage, out, &e);
    if (!rc) {
        rc = write_sets(stage.dir, s, bytes, &e) ||
             pack_stage_install(&stage, force, &unchanged, &e);
        pack_stage_end(&stage);
    }
    synth_destroy(s);
    if (rc)
        return opts_fail(&e);
    printf("\n%s: %s\n", out,
           unchanged ? "held the same already, left as it is" : "written");
    return 0;
}
