/* cudnn: the part of cuDNN's backend interface that the engine uses.  A graph
 * is checked when a plan of it is made (attributes and their types, shapes,
 * every tensor made before it is read) and computed operation by operation
 * when the plan is run, reading and writing the described elements and no
 * others.  Of the two plans that it offers the first does not repeat to the
 * bit: running it is an error. */
#include "internal.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cudnn.h>
#include <map>
#include <vector>

struct Attribute {
    cudnnBackendAttributeType_t type;
    int64_t count;
    std::vector<unsigned char> bytes;
};

typedef struct Descriptor {
    cudnnBackendDescriptorType_t type;
    bool done;
    std::map<int, Attribute> attribute;
    Descriptor *graph; /* of a configuration, its engine and plan */
    bool steady;
} Descriptor;

struct cudnnContext {
    cudaStream_t stream;
};

namespace cuemu
{
static long installed = CUDNN_VERSION;

static const struct {
    cudnnBackendDescriptorType_t of;
    int name;
    cudnnBackendAttributeType_t type;
    bool needed;
} known[] = {
#define ATTRIBUTE(of, name, type, needed)                                      \
    {                                                                          \
        CUDNN_BACKEND_##of##_DESCRIPTOR, CUDNN_ATTR_##name, CUDNN_TYPE_##type, \
            needed                                                             \
    }
#define OPERATION(of, name)                                                    \
    ATTRIBUTE(OPERATION_##of, OPERATION_##of##_##name, BACKEND_DESCRIPTOR, true)
    ATTRIBUTE(TENSOR, TENSOR_DATA_TYPE, DATA_TYPE, true),
    ATTRIBUTE(TENSOR, TENSOR_DIMENSIONS, INT64, true),
    ATTRIBUTE(TENSOR, TENSOR_STRIDES, INT64, true),
    ATTRIBUTE(TENSOR, TENSOR_UNIQUE_ID, INT64, true),
    ATTRIBUTE(TENSOR, TENSOR_BYTE_ALIGNMENT, INT64, true),
    ATTRIBUTE(TENSOR, TENSOR_IS_VIRTUAL, BOOLEAN, true),
    ATTRIBUTE(TENSOR, TENSOR_IS_BY_VALUE, BOOLEAN, true),
    ATTRIBUTE(POINTWISE, POINTWISE_MODE, POINTWISE_MODE, true),
    ATTRIBUTE(POINTWISE, POINTWISE_MATH_PREC, DATA_TYPE, true),
    ATTRIBUTE(POINTWISE, POINTWISE_AXIS, INT64, false),
    OPERATION(POINTWISE, PW_DESCRIPTOR),
    OPERATION(POINTWISE, XDESC),
    OPERATION(POINTWISE, YDESC),
    ATTRIBUTE(OPERATION_POINTWISE, OPERATION_POINTWISE_BDESC,
              BACKEND_DESCRIPTOR, false),
    ATTRIBUTE(OPERATION_POINTWISE, OPERATION_POINTWISE_TDESC,
              BACKEND_DESCRIPTOR, false),
    ATTRIBUTE(OPERATION_POINTWISE, OPERATION_POINTWISE_ALPHA1, FLOAT, false),
    ATTRIBUTE(OPERATION_POINTWISE, OPERATION_POINTWISE_ALPHA2, FLOAT, false),
    ATTRIBUTE(MATMUL, MATMUL_COMP_TYPE, DATA_TYPE, true),
    OPERATION(MATMUL, DESC),
    OPERATION(MATMUL, ADESC),
    OPERATION(MATMUL, BDESC),
    OPERATION(MATMUL, CDESC),
    ATTRIBUTE(REDUCTION, REDUCTION_OPERATOR, REDUCTION_OPERATOR_TYPE, true),
    ATTRIBUTE(REDUCTION, REDUCTION_COMP_TYPE, DATA_TYPE, true),
    OPERATION(REDUCTION, DESC),
    OPERATION(REDUCTION, XDESC),
    OPERATION(REDUCTION, YDESC),
    OPERATION(RESHAPE, XDESC),
    OPERATION(RESHAPE, YDESC),
    ATTRIBUTE(OPERATIONGRAPH, OPERATIONGRAPH_HANDLE, HANDLE, true),
    ATTRIBUTE(OPERATIONGRAPH, OPERATIONGRAPH_OPS, BACKEND_DESCRIPTOR, true),
    ATTRIBUTE(ENGINEHEUR, ENGINEHEUR_OPERATION_GRAPH, BACKEND_DESCRIPTOR, true),
    ATTRIBUTE(ENGINEHEUR, ENGINEHEUR_MODE, HEUR_MODE, true),
    ATTRIBUTE(EXECUTION_PLAN, EXECUTION_PLAN_HANDLE, HANDLE, true),
    ATTRIBUTE(EXECUTION_PLAN, EXECUTION_PLAN_ENGINE_CONFIG, BACKEND_DESCRIPTOR,
              true),
    ATTRIBUTE(VARIANT_PACK, VARIANT_PACK_UNIQUE_IDS, INT64, true),
    ATTRIBUTE(VARIANT_PACK, VARIANT_PACK_DATA_POINTERS, VOID_PTR, true),
    ATTRIBUTE(VARIANT_PACK, VARIANT_PACK_WORKSPACE, VOID_PTR, true),
};

static size_t size_of(cudnnBackendAttributeType_t t)
{
    return t == CUDNN_TYPE_BOOLEAN ? 1
           : t == CUDNN_TYPE_INT64 || t == CUDNN_TYPE_VOID_PTR ||
                   t == CUDNN_TYPE_HANDLE || t == CUDNN_TYPE_BACKEND_DESCRIPTOR
               ? 8
               : 4;
}

template <class T>
static T get(const Descriptor *d, int name, int64_t i = 0, T none = T())
{
    auto at = d->attribute.find(name);
    T v;

    if (at == d->attribute.end())
        return none;
    if (i >= at->second.count)
        fail("cuDNN: attribute %d has %lld elements", name,
             static_cast<long long>(at->second.count));
    memcpy(&v, &at->second.bytes[static_cast<size_t>(i) * sizeof v], sizeof v);
    return v;
}

static int64_t count_of(const Descriptor *d, int name)
{
    return d->attribute.at(name).count;
}

static const Descriptor *part(const Descriptor *d, int name)
{
    return get<const Descriptor *>(d, name);
}

/* ------------------------------------------------------------- a tensor */

/* A tensor's elements, row by row of its four dimensions. */
typedef std::vector<float> Values;

static int64_t dim(const Descriptor *t, int i)
{
    return get<int64_t>(t, CUDNN_ATTR_TENSOR_DIMENSIONS, i);
}

static cudnnDataType_t type_of(const Descriptor *t)
{
    return get<cudnnDataType_t>(t, CUDNN_ATTR_TENSOR_DATA_TYPE);
}

static bool inside(const Descriptor *t)
{
    return get<bool>(t, CUDNN_ATTR_TENSOR_IS_VIRTUAL);
}

static bool by_value(const Descriptor *t)
{
    return get<bool>(t, CUDNN_ATTR_TENSOR_IS_BY_VALUE);
}

static int64_t uid_of(const Descriptor *t)
{
    return get<int64_t>(t, CUDNN_ATTR_TENSOR_UNIQUE_ID);
}

/* Dimensions, strides, and where each element is. */
struct Layout {
    int64_t n[4], stride[4];

    explicit Layout(const Descriptor *t)
    {
        for (int i = 0; i < 4; i++) {
            n[i] = dim(t, i);
            stride[i] = get<int64_t>(t, CUDNN_ATTR_TENSOR_STRIDES, i);
        }
    }
    size_t size() const
    {
        return static_cast<size_t>(n[0] * n[1] * n[2] * n[3]);
    }
    /* f(i, at): element i of the rows is at `at` of the memory. */
    template <class F> void each(F f) const
    {
        size_t i = 0;

        for (int64_t a = 0; a < n[0]; a++)
            for (int64_t b = 0; b < n[1]; b++)
                for (int64_t c = 0; c < n[2]; c++)
                    for (int64_t d = 0; d < n[3]; d++)
                        f(i++,
                          static_cast<size_t>(a * stride[0] + b * stride[1] +
                                              c * stride[2] + d * stride[3]));
    }
    /* Where this tensor has what another of dimensions m has at x: dimensions
     * of 1 serve all, heads serve a group. */
    size_t serving(const int64_t m[4], const int64_t x[4]) const
    {
        int64_t at = 0;

        for (int i = 0; i < 4; i++)
            at = at * n[i] + x[i] / (m[i] / n[i]);
        return static_cast<size_t>(at);
    }
    bool serves(const Layout &m) const
    {
        for (int i = 0; i < 4; i++)
            if (n[i] < 1 || m.n[i] % n[i] ||
                (i != 1 && n[i] != 1 && n[i] != m.n[i]))
                return false;
        return true;
    }
};

static float rounded(const Descriptor *t, float v)
{
    return type_of(t) == CUDNN_DATA_BFLOAT16
               ? __bfloat162float(__float2bfloat16_rn(v))
               : v;
}

static Values load(const Descriptor *t, const void *p)
{
    Layout l(t);
    Values v(l.size());

    l.each([&](size_t i, size_t at) {
        v[i] = type_of(t) == CUDNN_DATA_BFLOAT16
                   ? __bfloat162float(static_cast<const __nv_bfloat16 *>(p)[at])
                   : static_cast<const float *>(p)[at];
    });
    return v;
}

static void store(const Descriptor *t, void *p, const Values &v)
{
    Layout(t).each([&](size_t i, size_t at) {
        if (type_of(t) == CUDNN_DATA_BFLOAT16)
            static_cast<__nv_bfloat16 *>(p)[at] = __float2bfloat16_rn(v[i]);
        else
            static_cast<float *>(p)[at] = v[i];
    });
}

/* -------------------------------------------------------- an operation */

/* What an operation reads, and the one that it writes. */
struct Ports {
    std::vector<const Descriptor *> in;
    const Descriptor *out;
};

static Ports ports_of(const Descriptor *op)
{
    Ports p = {{}, nullptr};
    std::vector<int> in;

    switch (op->type) {
    case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR:
        in = {CUDNN_ATTR_OPERATION_POINTWISE_XDESC,
              CUDNN_ATTR_OPERATION_POINTWISE_BDESC,
              CUDNN_ATTR_OPERATION_POINTWISE_TDESC};
        p.out = part(op, CUDNN_ATTR_OPERATION_POINTWISE_YDESC);
        break;
    case CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR:
        in = {CUDNN_ATTR_OPERATION_MATMUL_ADESC,
              CUDNN_ATTR_OPERATION_MATMUL_BDESC};
        p.out = part(op, CUDNN_ATTR_OPERATION_MATMUL_CDESC);
        break;
    case CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR:
        in = {CUDNN_ATTR_OPERATION_REDUCTION_XDESC};
        p.out = part(op, CUDNN_ATTR_OPERATION_REDUCTION_YDESC);
        break;
    default:
        in = {CUDNN_ATTR_OPERATION_RESHAPE_XDESC};
        p.out = part(op, CUDNN_ATTR_OPERATION_RESHAPE_YDESC);
    }
    for (int name : in)
        if (const Descriptor *t = part(op, name))
            p.in.push_back(t);
    return p;
}

static float pointwise(cudnnPointwiseMode_t mode, const float *x)
{
    switch (mode) {
    case CUDNN_POINTWISE_ADD:
        return x[0] + x[1];
    case CUDNN_POINTWISE_SUB:
        return x[0] - x[1];
    case CUDNN_POINTWISE_MUL:
        return x[0] * x[1];
    case CUDNN_POINTWISE_DIV:
        return x[0] / x[1];
    case CUDNN_POINTWISE_EXP:
        return expf(x[0]);
    case CUDNN_POINTWISE_LOG:
        return logf(x[0]);
    case CUDNN_POINTWISE_CMP_GE:
        return x[0] >= x[1] ? 1.0f : 0.0f;
    case CUDNN_POINTWISE_BINARY_SELECT:
        return x[2] != 0 ? x[0] : x[1];
    default:
        fail("cuDNN: pointwise operation %d is not emulated", mode);
    }
}

static Values run_pointwise(const Descriptor *op, const Ports &p,
                            const std::vector<const Values *> &in)
{
    const Descriptor *how =
        part(op, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR);
    cudnnPointwiseMode_t mode =
        get<cudnnPointwiseMode_t>(how, CUDNN_ATTR_POINTWISE_MODE);
    int64_t axis = get<int64_t>(how, CUDNN_ATTR_POINTWISE_AXIS, 0, -1);
    Layout out(p.out);
    std::vector<Layout> from(p.in.begin(), p.in.end());
    Values y(out.size());
    size_t i = 0;
    int64_t x[4];

    for (x[0] = 0; x[0] < out.n[0]; x[0]++)
        for (x[1] = 0; x[1] < out.n[1]; x[1]++)
            for (x[2] = 0; x[2] < out.n[2]; x[2]++)
                for (x[3] = 0; x[3] < out.n[3]; x[3]++, i++) {
                    float v[3] = {};

                    for (size_t k = 0; k < in.size(); k++)
                        v[k] = (*in[k])[from[k].serving(out.n, x)];
                    y[i] = mode == CUDNN_POINTWISE_GEN_INDEX
                               ? static_cast<float>(x[axis])
                               : pointwise(mode, v);
                }
    return y;
}

static Values run_matmul(const Ports &p, const std::vector<const Values *> &in)
{
    Layout a(p.in[0]), b(p.in[1]), c(p.out);
    Values y(c.size());
    size_t m = static_cast<size_t>(c.n[2]), n = static_cast<size_t>(c.n[3]);
    size_t k = static_cast<size_t>(a.n[3]);

    for (int64_t q = 0; q < c.n[0] * c.n[1]; q++) {
        int64_t group = q % c.n[1] / (c.n[1] / b.n[1]);
        const float *fa = in[0]->data() + static_cast<size_t>(q) * m * k;
        const float *fb =
            in[1]->data() +
            static_cast<size_t>(q / c.n[1] * b.n[1] + group) * k * n;
        float *fc = y.data() + static_cast<size_t>(q) * m * n;

        for (size_t i = 0; i < m; i++)
            for (size_t l = 0; l < k; l++)
                for (size_t j = 0; j < n; j++)
                    fc[i * n + j] += fa[i * k + l] * fb[l * n + j];
    }
    return y;
}

static Values run_reduce(const Descriptor *op, const Ports &p,
                         const std::vector<const Values *> &in)
{
    bool max = get<cudnnReduceTensorOp_t>(
                   part(op, CUDNN_ATTR_OPERATION_REDUCTION_DESC),
                   CUDNN_ATTR_REDUCTION_OPERATOR) == CUDNN_REDUCE_TENSOR_MAX;
    Layout from(p.in[0]), to(p.out);
    Values y(to.size(), max ? -INFINITY : 0);
    size_t i = 0;
    int64_t x[4];

    for (x[0] = 0; x[0] < from.n[0]; x[0]++)
        for (x[1] = 0; x[1] < from.n[1]; x[1]++)
            for (x[2] = 0; x[2] < from.n[2]; x[2]++)
                for (x[3] = 0; x[3] < from.n[3]; x[3]++) {
                    float &r = y[to.serving(from.n, x)], v = (*in[0])[i++];

                    r = max ? fmaxf(r, v) : r + v;
                }
    return y;
}

/* The memory of the one, read with the strides of the other. */
static Values run_reshape(const Ports &p, const Values &in)
{
    Layout from(p.in[0]), to(p.out);
    std::map<size_t, float> memory;
    Values y(to.size());

    from.each([&](size_t i, size_t at) { memory[at] = in[i]; });
    to.each([&](size_t i, size_t at) { y[i] = memory.at(at); });
    return y;
}

static Values run_op(const Descriptor *op, const Ports &p,
                     const std::vector<const Values *> &in)
{
    switch (op->type) {
    case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR:
        return run_pointwise(op, p, in);
    case CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR:
        return run_matmul(p, in);
    case CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR:
        return run_reduce(op, p, in);
    default:
        return run_reshape(p, *in[0]);
    }
}

/* ------------------------------------------------------------- a graph */

static std::vector<const Descriptor *> ops_of(const Descriptor *graph)
{
    std::vector<const Descriptor *> ops;

    for (int64_t i = 0; i < count_of(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS); i++)
        ops.push_back(
            get<const Descriptor *>(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, i));
    return ops;
}

static bool fits(const Descriptor *op, const Ports &p)
{
    Layout out(p.out);

    if (op->type == CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR) {
        Layout a(p.in[0]), b(p.in[1]);

        return a.n[0] == out.n[0] && a.n[1] == out.n[1] && a.n[2] == out.n[2] &&
               b.n[0] == out.n[0] && out.n[1] % b.n[1] == 0 &&
               b.n[3] == out.n[3] && a.n[3] == b.n[2];
    }
    if (op->type == CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR)
        return out.serves(Layout(p.in[0]));
    if (op->type == CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR)
        return out.size() == Layout(p.in[0]).size();
    for (const Descriptor *t : p.in)
        if (!Layout(t).serves(out))
            return false;
    return true;
}

/* Are the rows of a tensor of the caller's whole vectors of 16 bytes, and
 * heads of a size that there are kernels for? */
static bool usable(const Descriptor *t)
{
    Layout l(t);

    if (inside(t) || by_value(t) || type_of(t) != CUDNN_DATA_BFLOAT16)
        return true;
    for (int64_t s : l.stride)
        if (s != 1 && s % 8)
            return false;
    for (int i : {2, 3})
        if (l.stride[i] == 1 && (l.n[i] > 128 || l.n[i] % 8))
            return false;
    return true;
}

static bool supported(const Descriptor *graph)
{
    std::vector<const Descriptor *> made;

    for (const Descriptor *op : ops_of(graph)) {
        Ports p = ports_of(op);

        if (!fits(op, p) || !usable(p.out))
            return false;
        for (const Descriptor *t : p.in)
            if (!usable(t) || (inside(t) && std::find(made.begin(), made.end(),
                                                      t) == made.end()))
                return false;
        made.push_back(p.out);
    }
    return true;
}

/* "cudnn=" of control.h. */
__attribute__((constructor)) static void read_environment()
{
    const char *text = getenv("LOGLOG_CUEMU");
    const char *at = text ? strstr(text, "cudnn=") : nullptr;

    if (at)
        installed = strtol(at + strlen("cudnn="), nullptr, 10);
}

/* As much as the largest tensor inside the graph, in bf16. */
static int64_t workspace_of(const Descriptor *graph)
{
    size_t most = 0;

    for (const Descriptor *op : ops_of(graph))
        most = std::max(most, Layout(ports_of(op).out).size());
    return static_cast<int64_t>(2 * most);
}

typedef std::map<int64_t, void *> Pointers;

static void run_graph(const Descriptor *graph, const Pointers &at,
                      const std::map<int64_t, float> &number, void *workspace)
{
    std::map<const Descriptor *, Values> value;

    memset(workspace, 0xff, static_cast<size_t>(workspace_of(graph)));
    for (const Descriptor *op : ops_of(graph)) {
        Ports p = ports_of(op);
        std::vector<const Values *> in;

        for (const Descriptor *t : p.in) {
            if (!value.count(t))
                value[t] = by_value(t) ? Values{number.at(uid_of(t))}
                                       : load(t, at.at(uid_of(t)));
            in.push_back(&value[t]);
        }
        Values y = run_op(op, p, in);

        for (float &v : y)
            v = rounded(p.out, v);
        if (!inside(p.out))
            store(p.out, at.at(uid_of(p.out)), y);
        value[p.out] = std::move(y);
    }
}

void *library_open(const char *file)
{
    return installed && !strcmp(file, "libcudnn.so.9") ? &installed : nullptr;
}

} /* namespace cuemu */

using namespace cuemu;

extern "C" {

void cuemu_set_cudnn(long version)
{
    installed = version;
}

size_t cudnnGetVersion(void)
{
    return static_cast<size_t>(installed);
}

const char *cudnnGetErrorString(cudnnStatus_t r)
{
    return r == CUDNN_STATUS_NOT_SUPPORTED ? "not supported" : "bad parameter";
}

cudnnStatus_t cudnnCreate(cudnnHandle_t *h)
{
    *h = new cudnnContext();
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t h)
{
    delete h;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t h, cudaStream_t s)
{
    h->stream = s;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                           cudnnBackendDescriptor_t *d)
{
    *d = new Descriptor{type, false, {}, nullptr, false};
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t d)
{
    delete static_cast<Descriptor *>(d);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t desc,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type,
                                       int64_t count, const void *values)
{
    Descriptor *d = static_cast<Descriptor *>(desc);
    const unsigned char *p = static_cast<const unsigned char *>(values);

    for (const auto &k : known)
        if (k.of == d->type && k.name == name && k.type == type && !d->done) {
            if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR)
                for (int64_t i = 0; i < count; i++)
                    if (!(static_cast<Descriptor *const *>(values))[i]->done)
                        return CUDNN_STATUS_BAD_PARAM;
            d->attribute[name] = {
                type, count,
                std::vector<unsigned char>(p, p + static_cast<size_t>(count) *
                                                      size_of(type))};
            return CUDNN_STATUS_SUCCESS;
        }
    fprintf(stderr, "cuemu: cuDNN has no attribute %d of type %d to set\n",
            name, type);
    return CUDNN_STATUS_BAD_PARAM;
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t desc)
{
    Descriptor *d = static_cast<Descriptor *>(desc);

    for (const auto &k : known)
        if (k.of == d->type && k.needed && !d->attribute.count(k.name))
            return CUDNN_STATUS_BAD_PARAM;
    if (d->type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR) {
        const Descriptor *config =
            part(d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);

        d->graph = config->graph;
        d->steady = config->steady;
        if (!supported(d->graph))
            return CUDNN_STATUS_NOT_SUPPORTED;
    }
    d->done = true;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t const desc,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t,
                                       int64_t most, int64_t *count, void *out)
{
    const Descriptor *d = static_cast<const Descriptor *>(desc);
    Descriptor *const *to = static_cast<Descriptor **>(out);

    if (!d->done)
        return CUDNN_STATUS_BAD_PARAM;
    *count = 1;
    if (name == CUDNN_ATTR_ENGINEHEUR_RESULTS && most >= 2) {
        *count = 2;
        for (int i = 0; i < 2; i++) {
            to[i]->graph =
                get<Descriptor *>(d, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
            to[i]->steady = i;
            to[i]->done = true;
        }
    } else if (name == CUDNN_ATTR_ENGINECFG_ENGINE) {
        to[0]->steady = d->steady;
        to[0]->done = true;
    } else if (name == CUDNN_ATTR_ENGINE_NUMERICAL_NOTE) {
        *static_cast<cudnnBackendNumericalNote_t *>(out) =
            d->steady ? CUDNN_NUMERICAL_NOTE_TENSOR_CORE
                      : CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC;
    } else if (name == CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE) {
        *static_cast<int64_t *>(out) = workspace_of(d->graph);
    } else {
        return CUDNN_STATUS_BAD_PARAM;
    }
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t h, cudnnBackendDescriptor_t p,
                                  cudnnBackendDescriptor_t v)
{
    const Descriptor *plan = static_cast<const Descriptor *>(p);
    const Descriptor *pack = static_cast<const Descriptor *>(v);
    void *workspace = get<void *>(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
    Pointers at;
    std::map<int64_t, float> number;

    if (!plan->done || !pack->done || !plan->steady || !workspace)
        return CUDNN_STATUS_BAD_PARAM;
    for (int64_t i = 0; i < count_of(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
         i++)
        at[get<int64_t>(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, i)] =
            get<void *>(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, i);
    for (const Descriptor *op : ops_of(plan->graph)) {
        Ports ports = ports_of(op);

        ports.in.push_back(ports.out);
        for (const Descriptor *t : ports.in) {
            if (inside(t))
                continue;
            if (!at.count(uid_of(t)))
                return CUDNN_STATUS_BAD_PARAM;
            if (by_value(t)) /* now: the host's number may go */
                number[uid_of(t)] = *static_cast<const float *>(at[uid_of(t)]);
            else if (reinterpret_cast<uintptr_t>(at[uid_of(t)]) % 16)
                return CUDNN_STATUS_BAD_PARAM;
        }
    }
    enqueue(h->stream, [graph = plan->graph, at, number, workspace] {
        run_graph(graph, at, number, workspace);
    });
    return CUDNN_STATUS_SUCCESS;
}

} /* extern "C" */

namespace cuemu
{
void *library_symbol(void *, const char *name)
{
#define SYMBOL(f)                                                              \
    {                                                                          \
#f, reinterpret_cast < void *>(f)                                      \
    }
    static const struct {
        const char *name;
        void *f;
    } all[] = {SYMBOL(cudnnGetVersion),
               SYMBOL(cudnnGetErrorString),
               SYMBOL(cudnnCreate),
               SYMBOL(cudnnDestroy),
               SYMBOL(cudnnSetStream),
               SYMBOL(cudnnBackendCreateDescriptor),
               SYMBOL(cudnnBackendDestroyDescriptor),
               SYMBOL(cudnnBackendFinalize),
               SYMBOL(cudnnBackendSetAttribute),
               SYMBOL(cudnnBackendGetAttribute),
               SYMBOL(cudnnBackendExecute)};

    for (const auto &s : all)
        if (!strcmp(s.name, name))
            return s.f;
    return nullptr;
}
} /* namespace cuemu */
