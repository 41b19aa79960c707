/* cudnn_graph: see cudnn_graph.h. */
#include "trainer/cuda/cudnn_graph.h"

#include <string.h>

#define FILE_NAME "libcudnn.so.9"
/* Of the versions before, 9.10.0 and 9.10.1 are known to compute gradients of
 * attention wrongly (cudnn-frontend's list of its own workarounds). */
#define OLDEST 91002
#define CHOICES 16 /* of plans, that are looked at */

/* ---------------------------------------------------------- the library */

template <class F>
static int symbol(F *f, const struct cudnn_library *l, const char *name)
{
    void *p = LIBRARY_SYMBOL(l->file, name);

    memcpy(static_cast<void *>(f), &p, sizeof *f);
    return !p;
}

int cudnn_open(struct cudnn_library *l, struct err *e)
{
    cudnnStatus_t r;
    size_t version;

    *l = {};
    l->file = LIBRARY_OPEN(FILE_NAME);
    if (!l->file)
        return err_set(e, ERR_ENV,
                       "there is no %s in the library path (LD_LIBRARY_PATH)",
                       FILE_NAME);
    if (symbol(&l->version, l, "cudnnGetVersion") ||
        symbol(&l->error, l, "cudnnGetErrorString") ||
        symbol(&l->create, l, "cudnnCreate") ||
        symbol(&l->destroy, l, "cudnnDestroy") ||
        symbol(&l->set_stream, l, "cudnnSetStream") ||
        symbol(&l->make, l, "cudnnBackendCreateDescriptor") ||
        symbol(&l->unmake, l, "cudnnBackendDestroyDescriptor") ||
        symbol(&l->finalize, l, "cudnnBackendFinalize") ||
        symbol(&l->set, l, "cudnnBackendSetAttribute") ||
        symbol(&l->get, l, "cudnnBackendGetAttribute") ||
        symbol(&l->execute, l, "cudnnBackendExecute")) {
        LIBRARY_CLOSE(l->file);
        return err_set(e, ERR_ENV, "%s lacks functions of cuDNN 9", FILE_NAME);
    }
    version = l->version();
    if (version < OLDEST) {
        LIBRARY_CLOSE(l->file);
        return err_set(e, ERR_ENV,
                       "cuDNN %zu.%zu.%zu is too old: %d.%d.%d is needed",
                       version / 10000, version / 100 % 100, version % 100,
                       OLDEST / 10000, OLDEST / 100 % 100, OLDEST % 100);
    }
    r = l->create(&l->handle);
    if (r != CUDNN_STATUS_SUCCESS) {
        err_set(e, ERR_ENV, "cuDNN: create: %s", l->error(r));
        LIBRARY_CLOSE(l->file);
        return -1;
    }
    return 0;
}

void cudnn_close(struct cudnn_library *l)
{
    l->destroy(l->handle);
    LIBRARY_CLOSE(l->file);
}

/* ------------------------------------------------------------ the graph */

static int bad(struct cudnn_graph *g, cudnnStatus_t r, const char *what)
{
    if (r == CUDNN_STATUS_SUCCESS || g->status != CUDNN_STATUS_SUCCESS)
        return g->status != CUDNN_STATUS_SUCCESS;
    g->status = r;
    g->what = what;
    return 1;
}

static node make(struct cudnn_graph *g, cudnnBackendDescriptorType_t type)
{
    node n = nullptr;

    if (g->status == CUDNN_STATUS_SUCCESS &&
        !bad(g, g->lib->make(type, &n), "a descriptor"))
        g->made.push_back(n);
    return n;
}

static void set(struct cudnn_graph *g, node n, cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t count,
                const void *value)
{
    if (g->status == CUDNN_STATUS_SUCCESS)
        bad(g, g->lib->set(n, name, type, count, value), "an attribute");
}

static void set_node(struct cudnn_graph *g, node n,
                     cudnnBackendAttributeName_t name, node value)
{
    set(g, n, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
}

static void set_type(struct cudnn_graph *g, node n,
                     cudnnBackendAttributeName_t name, cudnnDataType_t type)
{
    set(g, n, name, CUDNN_TYPE_DATA_TYPE, 1, &type);
}

static void finalize(struct cudnn_graph *g, node n, const char *what)
{
    if (g->status == CUDNN_STATUS_SUCCESS)
        bad(g, g->lib->finalize(n), what);
}

static void finalize_op(struct cudnn_graph *g, node n, const char *what)
{
    finalize(g, n, what);
    g->ops.push_back(n);
}

static node tensor(struct cudnn_graph *g, int64_t uid, cudnnDataType_t type,
                   const struct shape4 &s, bool inside, bool by_value)
{
    node n = make(g, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    int64_t align = by_value ? 4 : 16;

    set_type(g, n, CUDNN_ATTR_TENSOR_DATA_TYPE, type);
    set(g, n, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, s.dim);
    set(g, n, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, s.stride);
    set(g, n, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &uid);
    set(g, n, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &align);
    set(g, n, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &inside);
    set(g, n, CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, 1, &by_value);
    finalize(g, n, "a tensor");
    return n;
}

node graph_tensor(struct cudnn_graph *g, int64_t uid, cudnnDataType_t type,
                  const struct shape4 &s)
{
    return tensor(g, uid, type, s, false, false);
}

node graph_number(struct cudnn_graph *g, int64_t uid)
{
    return tensor(g, uid, CUDNN_DATA_FLOAT, {{1, 1, 1, 1}, {1, 1, 1, 1}}, false,
                  true);
}

node graph_virtual(struct cudnn_graph *g, cudnnDataType_t type,
                   const struct shape4 &s)
{
    return tensor(g, 1000 + g->virtuals++, type, s, true, false);
}

void graph_pointwise(struct cudnn_graph *g, cudnnPointwiseMode_t mode,
                     cudnnDataType_t compute, node y, node x, node b, node t,
                     int64_t axis)
{
    node how = make(g, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    node op = make(g, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    const float one = 1;

    set(g, how, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
    set_type(g, how, CUDNN_ATTR_POINTWISE_MATH_PREC, compute);
    if (axis >= 0)
        set(g, how, CUDNN_ATTR_POINTWISE_AXIS, CUDNN_TYPE_INT64, 1, &axis);
    finalize(g, how, "a pointwise operation");
    set_node(g, op, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, how);
    set_node(g, op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
    set_node(g, op, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
    if (b)
        set_node(g, op, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b);
    if (t)
        set_node(g, op, CUDNN_ATTR_OPERATION_POINTWISE_TDESC, t);
    set(g, op, CUDNN_ATTR_OPERATION_POINTWISE_ALPHA1, CUDNN_TYPE_FLOAT, 1,
        &one);
    set(g, op, CUDNN_ATTR_OPERATION_POINTWISE_ALPHA2, CUDNN_TYPE_FLOAT, 1,
        &one);
    finalize_op(g, op, "a pointwise operation");
}

void graph_matmul(struct cudnn_graph *g, node c, node a, node b)
{
    node how = make(g, CUDNN_BACKEND_MATMUL_DESCRIPTOR);
    node op = make(g, CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR);

    set_type(g, how, CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_DATA_FLOAT);
    finalize(g, how, "a product");
    set_node(g, op, CUDNN_ATTR_OPERATION_MATMUL_ADESC, a);
    set_node(g, op, CUDNN_ATTR_OPERATION_MATMUL_BDESC, b);
    set_node(g, op, CUDNN_ATTR_OPERATION_MATMUL_CDESC, c);
    set_node(g, op, CUDNN_ATTR_OPERATION_MATMUL_DESC, how);
    finalize_op(g, op, "a product");
}

void graph_reduce(struct cudnn_graph *g, cudnnReduceTensorOp_t how, node y,
                  node x)
{
    node kind = make(g, CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
    node op = make(g, CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);

    set(g, kind, CUDNN_ATTR_REDUCTION_OPERATOR,
        CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, 1, &how);
    set_type(g, kind, CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_DATA_FLOAT);
    finalize(g, kind, "a reduction");
    set_node(g, op, CUDNN_ATTR_OPERATION_REDUCTION_XDESC, x);
    set_node(g, op, CUDNN_ATTR_OPERATION_REDUCTION_YDESC, y);
    set_node(g, op, CUDNN_ATTR_OPERATION_REDUCTION_DESC, kind);
    finalize_op(g, op, "a reduction");
}

void graph_reshape(struct cudnn_graph *g, node y, node x)
{
    node op = make(g, CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR);

    set_node(g, op, CUDNN_ATTR_OPERATION_RESHAPE_XDESC, x);
    set_node(g, op, CUDNN_ATTR_OPERATION_RESHAPE_YDESC, y);
    finalize_op(g, op, "a reshape");
}

/* ------------------------------------------------------------- the plan */

/* Are the sums of this configuration in an order that may change? */
static int unsteady(struct cudnn_graph *g, node config)
{
    cudnnBackendNumericalNote_t note[CUDNN_NUMERICAL_NOTE_TYPE_COUNT] = {};
    node engine = make(g, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    int64_t n = 0;

    if (!engine ||
        bad(g,
            g->lib->get(config, CUDNN_ATTR_ENGINECFG_ENGINE,
                        CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &n, &engine),
            "the engine of a plan") ||
        bad(g,
            g->lib->get(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                        CUDNN_TYPE_NUMERICAL_NOTE,
                        CUDNN_NUMERICAL_NOTE_TYPE_COUNT, &n, note),
            "the notes on a plan"))
        return 1;
    for (int64_t i = 0; i < n; i++)
        if (note[i] == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)
            return 1;
    return 0;
}

/* The plan of this configuration; nonzero when the library has none. */
static int try_plan(struct cudnn_plan *out, struct cudnn_graph *g, node config)
{
    node plan = make(g, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    int64_t n = 0;

    set(g, plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1,
        &g->lib->handle);
    set_node(g, plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
    if (g->status != CUDNN_STATUS_SUCCESS ||
        g->lib->finalize(plan) != CUDNN_STATUS_SUCCESS)
        return 1;
    if (bad(g,
            g->lib->get(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                        CUDNN_TYPE_INT64, 1, &n, &out->workspace),
            "the workspace of a plan"))
        return 1;
    out->plan = plan;
    return 0;
}

/* The library's configurations for the graph, best first. */
static std::vector<node> configurations(struct cudnn_graph *g)
{
    node graph = make(g, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    node choice = make(g, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    const cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_A;
    std::vector<node> config(CHOICES);
    int64_t n = 0;

    set(g, graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1,
        &g->lib->handle);
    set(g, graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
        static_cast<int64_t>(g->ops.size()), g->ops.data());
    finalize(g, graph, "the graph");
    set_node(g, choice, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
    set(g, choice, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
    finalize(g, choice, "the choice of a plan");
    for (node &c : config)
        c = make(g, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    if (g->status == CUDNN_STATUS_SUCCESS)
        bad(g,
            g->lib->get(choice, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                        CUDNN_TYPE_BACKEND_DESCRIPTOR, CHOICES, &n,
                        config.data()),
            "the choice of a plan");
    config.resize(static_cast<size_t>(n));
    return config;
}

int graph_plan(struct cudnn_plan *out, struct cudnn_graph *g, struct err *e)
{
    int rejected = 0, rc = -1;

    *out = {};
    for (node config : configurations(g)) {
        if (g->status != CUDNN_STATUS_SUCCESS)
            break;
        if (unsteady(g, config))
            rejected++;
        else if (!try_plan(out, g, config)) {
            rc = 0;
            break;
        }
    }
    out->made.swap(g->made);
    if (!rc)
        return 0;
    plan_release(g->lib, out);
    if (g->status != CUDNN_STATUS_SUCCESS)
        return err_set(e, ERR_ENV, "cuDNN refuses %s: %s", g->what,
                       g->lib->error(g->status));
    return err_set(e, ERR_ENV, "cuDNN has no plan%s for this shape here",
                   rejected ? " that repeats to the bit" : "");
}

void plan_release(const struct cudnn_library *l, struct cudnn_plan *p)
{
    while (!p->made.empty()) {
        l->unmake(p->made.back());
        p->made.pop_back();
    }
    p->plan = nullptr;
}

cudnnStatus_t plan_run(const struct cudnn_library *l,
                       const struct cudnn_plan *plan,
                       const std::vector<int64_t> &uid,
                       const std::vector<void *> &p, void *workspace)
{
    int64_t n = static_cast<int64_t>(uid.size());
    node pack;
    cudnnStatus_t r = l->make(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack);

    if (r != CUDNN_STATUS_SUCCESS)
        return r;
    r = l->set(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, n,
               uid.data());
    if (r == CUDNN_STATUS_SUCCESS)
        r = l->set(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS,
                   CUDNN_TYPE_VOID_PTR, n, p.data());
    if (r == CUDNN_STATUS_SUCCESS)
        r = l->set(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR,
                   1, &workspace);
    if (r == CUDNN_STATUS_SUCCESS)
        r = l->finalize(pack);
    if (r == CUDNN_STATUS_SUCCESS)
        r = l->execute(l->handle, plan->plan, pack);
    l->unmake(pack);
    return r;
}
