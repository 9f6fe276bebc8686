#include "services/inference/scorers/product.h"

#include <dnnl.h>
#include <omp.h>

#include <cassert>

namespace kvscope::inference {
namespace {

// A head's product is too small to share: on a busy machine the threads' barrier costs more than
// the work. It also makes the bits independent of the number of threads.
class OneThread {
 public:
  OneThread() : threads_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(threads_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  const int threads_;
};

RowMatrix Multiply(char transpose_a, const MatrixArgument& a, char transpose_b,
                   const MatrixArgument& b, Eigen::Index rows, Eigen::Index inner,
                   Eigen::Index columns) {
  RowMatrix product(rows, columns);
  const OneThread one_thread;
  const dnnl_status_t status =
      dnnl_sgemm(transpose_a, transpose_b, rows, columns, inner, 1.0f, a.data(), a.outerStride(),
                 b.data(), b.outerStride(), 0.0f, product.data(), product.outerStride());
  assert(status == dnnl_success);
  (void)status;
  return product;
}

}  // namespace

RowMatrix TimesTransposed(const MatrixArgument& a, const MatrixArgument& b) {
  assert(a.cols() == b.cols());
  return Multiply('N', a, 'T', b, a.rows(), a.cols(), b.rows());
}

RowMatrix TransposedTimes(const MatrixArgument& a, const MatrixArgument& b) {
  assert(a.rows() == b.rows());
  return Multiply('T', a, 'N', b, a.cols(), a.rows(), b.cols());
}

}  // namespace kvscope::inference
