// The order in which blocks that stay take tiles of pairs, every gridDim.x-th each, and that all warps of a block
// share: those that are counted at a time share columns, which then come from the second-level cache.
#pragma once

#include "mi/cuda/mi_cuda.h"

namespace pruning_ext::mi {

__device__ inline std::int64_t partners_of(const PairJob& job) {
  return job.pairs.symmetric ? job.pairs.x.rows : job.pairs.y.rows;
}

// kSide tiles along x, then the next along y; a band of kSide tiles, then the next along x. Below the diagonal none,
// where the matrix is symmetric.
template <int kXColumns, int kYColumns, int kSide>
class TileWalk {
 public:
  __device__ TileWalk(const PairJob& job, std::int64_t first_column, std::int64_t past_column)
      : mirror_(job.mirror),
        past_(past_column),
        y_blocks_(static_cast<unsigned>((partners_of(job) + kYColumns - 1) / kYColumns)),
        band_(first_column) {
    move(blockIdx.x);
  }

  __device__ bool ends() const { return band_ >= past_; }
  __device__ std::int64_t x() const { return band_ + side_ * kXColumns; }  // the tile's first columns
  __device__ std::int64_t y() const { return std::int64_t{y_block_} * kYColumns; }

  __device__ void next() { move(gridDim.x); }

 private:
  __device__ void move(unsigned tiles) {
    do {
      side_ += tiles % kSide;
      y_block_ += tiles / kSide + side_ / kSide;
      side_ %= kSide;
      while (y_block_ >= y_blocks_) {
        y_block_ -= y_blocks_;
        band_ += kSide * kXColumns;
      }
      tiles = gridDim.x;
    } while (!ends() && (x() >= past_ || (mirror_ && y() + kYColumns <= x())));
  }

  bool mirror_;
  std::int64_t past_;
  unsigned y_blocks_, y_block_ = 0, side_ = 0;
  std::int64_t band_;
};

}  // namespace pruning_ext::mi
