// The instructions that sm_90a adds, as PTX defines them: barriers in shared memory, asynchronous copies to it,
// products by groups of four warps. Asynchronous steps happen at once or as late as they may, by chance, so that a
// missing wait shows.
#pragma once

#include <cstddef>
#include <cstdint>

namespace emulation {

constexpr int kAccumulators = 128;

// Addresses of dynamic shared memory as a GPU would have them: not aligned to more than 16 bytes.
std::uint32_t shared_address(const void* at);

// mbarrier.init, .arrive, .try_wait.parity until it is true; cp.async of 16 bytes or zeros, and the arrival when what
// the thread copied is there (cp.async.mbarrier.arrive.noinc).
void barrier_init(std::uint64_t* barrier, std::uint32_t count);
void barrier_arrive(std::uint64_t* barrier);
void barrier_wait(std::uint64_t* barrier, std::uint32_t parity);
void copy_async(void* to, const void* from, bool any);
void barrier_arrive_after_copies(std::uint64_t* barrier);

// Ordinary stores that wgmma will read, and fence.proxy.async. A lane that arrives at a barrier does so for its warp:
// it is an error if a lane of it has stores that no fence followed.
void stored_for_async_proxy();
void fence_async_proxy();

// wgmma.mma_async m64n256k256 .b1 .and.popc with both operands by their descriptors, .commit_group, .wait_group.
void wgmma_and_popc(int (&c)[kAccumulators], std::uint64_t a, std::uint64_t b);
void wgmma_commit();
void wgmma_wait(std::size_t groups_left);

}  // namespace emulation
