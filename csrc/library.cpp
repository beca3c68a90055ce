// Every op's schema. Implementations register themselves beside their kernels; public functions are in pruning_ext/ops.
#include <torch/csrc/stable/library.h>

STABLE_TORCH_LIBRARY(pruning_ext, library) {
  // Densities (or their logarithms) at points [R, K] of samples [R, N]; bandwidth float64 [R].
  library.def(
      "gaussian_kde(Tensor samples, Tensor points, Tensor bandwidth, Tensor? weights, bool log, bool leave_one_out, "
      "float? rtol) -> Tensor");
  // (grid, density), both [R, num_points], on equal steps over each row's range.
  library.def("gaussian_kde_grid(Tensor samples, int num_points, Tensor bandwidth, float? rtol) -> (Tensor, Tensor)");
  // Bandwidth float64 [R] by the rule "scott", "silverman" or "ken".
  library.def("kde_bandwidth(Tensor samples, Tensor? weights, str rule) -> Tensor");
  // KEN's selection of k entries in each row of [R, N], bool.
  library.def("ken_mask(Tensor weight, int k, bool keep_ties) -> Tensor");
}
