/* cudnn_graph: a graph of operations by cuDNN's backend interface (cudnn_graph
 * in its documentation), and the plan that runs it.
 *
 * The library is opened when it is asked for and is not among those that the
 * plugin needs.  A graph is built tensor by tensor and operation by operation;
 * the first error stays in it and makes the rest do nothing, so that only
 * graph_plan has to be asked.  Tensors have four dimensions. */
#ifndef LOGLOG_TRAINER_CUDA_CUDNN_GRAPH_H
#define LOGLOG_TRAINER_CUDA_CUDNN_GRAPH_H

extern "C" {
#include "base/err.h"
}
#include "trainer/cuda/port.h"

#include <cudnn.h>
#include <vector>

/* The functions that are used, and a handle; one for each engine. */
struct cudnn_library {
    void *file;
    decltype(&cudnnGetVersion) version;
    decltype(&cudnnGetErrorString) error;
    decltype(&cudnnCreate) create;
    decltype(&cudnnDestroy) destroy;
    decltype(&cudnnSetStream) set_stream;
    decltype(&cudnnBackendCreateDescriptor) make;
    decltype(&cudnnBackendDestroyDescriptor) unmake;
    decltype(&cudnnBackendFinalize) finalize;
    decltype(&cudnnBackendSetAttribute) set;
    decltype(&cudnnBackendGetAttribute) get;
    decltype(&cudnnBackendExecute) execute;
    cudnnHandle_t handle;
};

/* libcudnn.so.9 and a handle on the current device; -1 with the reason, and
 * then there is nothing to close. */
int cudnn_open(struct cudnn_library *l, struct err *e);
void cudnn_close(struct cudnn_library *l);

typedef cudnnBackendDescriptor_t node;

struct shape4 {
    int64_t dim[4], stride[4];
};

struct cudnn_graph {
    const struct cudnn_library *lib;
    std::vector<node> made; /* of the graph: all that is to be destroyed */
    std::vector<node> ops;
    int64_t virtuals;
    cudnnStatus_t status; /* the first error, and what it was about */
    const char *what;
};

/* A plan, its workspace, and the names of the tensors of its caller. */
struct cudnn_plan {
    std::vector<node> made;
    node plan;
    int64_t workspace;
};

/* A tensor of the caller's memory, named uid > 0, aligned to 16 bytes. */
node graph_tensor(struct cudnn_graph *g, int64_t uid, cudnnDataType_t type,
                  const struct shape4 &s);
/* An fp32 number that is given at each run, by a pointer of the host. */
node graph_number(struct cudnn_graph *g, int64_t uid);
/* What exists inside the graph alone. */
node graph_virtual(struct cudnn_graph *g, cudnnDataType_t type,
                   const struct shape4 &s);

/* y = mode(x, b, t) where b and t may be NULL; axis is of GEN_INDEX. */
void graph_pointwise(struct cudnn_graph *g, cudnnPointwiseMode_t mode,
                     cudnnDataType_t compute, node y, node x, node b = nullptr,
                     node t = nullptr, int64_t axis = -1);
/* c = a b, in fp32 */
void graph_matmul(struct cudnn_graph *g, node c, node a, node b);
/* y = the sum or maximum of x over the dimensions that are 1 in y (for heads
 * in groups: a divisor) */
void graph_reduce(struct cudnn_graph *g, cudnnReduceTensorOp_t how, node y,
                  node x);
/* y = x with other strides */
void graph_reshape(struct cudnn_graph *g, node y, node x);

/* The library's first choice that gives the same bits every time; -1 with the
 * reason.  The graph is then spent, and its error with it. */
int graph_plan(struct cudnn_plan *out, struct cudnn_graph *g, struct err *e);
void plan_release(const struct cudnn_library *l, struct cudnn_plan *p);
/* Queue it on the handle's stream; uid[i] is at p[i]. */
cudnnStatus_t plan_run(const struct cudnn_library *l,
                       const struct cudnn_plan *plan,
                       const std::vector<int64_t> &uid,
                       const std::vector<void *> &p, void *workspace);

#endif
