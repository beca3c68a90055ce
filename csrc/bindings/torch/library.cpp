// The ops' schemas; those that only CUDA has (names with an underscore) stand in its *_op_cuda.cpp. Implementations
// register themselves beside their kernels; public functions are in pruning_ext/ops.
#include <torch/csrc/stable/library.h>

STABLE_TORCH_LIBRARY(pruning_ext, library) {
  // Densities (or their logarithms) at points [R, K] of samples [R, N]; bandwidth float64 [R].
  library.def(
      "gaussian_kde(Tensor samples, Tensor points, Tensor bandwidth, Tensor? weights, bool log, bool leave_one_out, "
      "float? rtol) -> Tensor");
  // (grid, density), both [R, num_points], on equal steps over each row's range.
  library.def(
      "gaussian_kde_grid(Tensor samples, SymInt num_points, Tensor bandwidth, float? rtol) -> (Tensor, Tensor)");
  // Bandwidth float64 [R] by the rule "scott", "silverman" or "ken".
  library.def("kde_bandwidth(Tensor samples, Tensor? weights, str rule) -> Tensor");
  // KEN's selection of k entries in each row of [R, N], bool.
  library.def("ken_mask(Tensor weight, SymInt k, bool keep_ties) -> Tensor");
  // (codes uint8 [N, T], edges [N, bins - 1]) of the columns of x [T, N].
  library.def("discretize(Tensor x, int bins, str strategy) -> (Tensor codes, Tensor edges)");
  // Codes uint8 [N, T] of x [T, N] by edges [N, bins - 1] that are already there.
  library.def("encode(Tensor x, Tensor edges) -> Tensor");
  // Joint counts int32 [N, M, bins, bins] of codes [N, T] and [M, T]; no codes_y: codes_x with itself, here and below.
  library.def("contingency(Tensor codes_x, Tensor? codes_y, int bins) -> Tensor");
  // Mutual information [N, M] of all pairs.
  library.def(
      "mutual_information(Tensor codes_x, Tensor? codes_y, int bins, str correction, str normalize, str unit, "
      "bool float64) -> Tensor");
  // The k best partners of each row, both [N, k], without the [N, M] matrix.
  library.def(
      "mutual_information_topk(Tensor codes_x, int k, Tensor? codes_y, int bins, str correction, str normalize, "
      "str unit, bool float64) -> (Tensor values, Tensor indices)");
  // Each row's sum over its partners, float64 [N], without the [N, M] matrix.
  library.def(
      "mutual_information_sum(Tensor codes_x, Tensor? codes_y, int bins, str correction, str normalize, str unit) -> "
      "Tensor");
}
