# _C_cuda: the ops' CUDA kernels, where a toolkit is found (PRUNING_EXT_CUDA); a GPU is neither needed nor looked for.
# Leaves `cuda_toolkit` and `cuda_architectures` empty where nothing is built.
set(cuda_toolkit "")
set(cuda_architectures "")
if(NOT PRUNING_EXT_CUDA MATCHES "^(auto|on|off)$")
  message(FATAL_ERROR "PRUNING_EXT_CUDA must be auto, on or off, is ${PRUNING_EXT_CUDA}")
elseif(PRUNING_EXT_CUDA STREQUAL "off")
  return()
endif()
set(cuda_oldest 12.8)  # the first toolkit that knows sm_100
find_package(CUDAToolkit ${cuda_oldest} QUIET)
if(NOT CUDAToolkit_FOUND OR NOT CUDAToolkit_NVCC_EXECUTABLE)
  if(PRUNING_EXT_CUDA STREQUAL "on")
    message(FATAL_ERROR "PRUNING_EXT_CUDA=on needs a CUDA toolkit from ${cuda_oldest} on; name it by CUDAToolkit_ROOT")
  endif()
  message(STATUS "No CUDA toolkit from ${cuda_oldest} on: building for the CPU alone")
  return()
endif()

if(NOT DEFINED CMAKE_CUDA_COMPILER)
  set(CMAKE_CUDA_COMPILER ${CUDAToolkit_NVCC_EXECUTABLE})
endif()
set(CMAKE_CUDA_ARCHITECTURES ${PRUNING_EXT_CUDA_ARCHITECTURES})
enable_language(CUDA)
set(cuda_toolkit ${CUDAToolkit_VERSION})
string(REPLACE "-real" "" cuda_architectures "${PRUNING_EXT_CUDA_ARCHITECTURES}")

# The kernels, knowing nothing of torch or Python.
add_library(pruning_ext_cuda OBJECT
  csrc/kde/cuda/row_statistics.cu
  csrc/kde/cuda/direct.cu
  csrc/kde/cuda/lattice.cu
  csrc/kde/cuda/finish.cu
  csrc/kde/cuda/kde_cuda.cu
  csrc/ken/cuda/ken_cuda.cu
  csrc/mi/cuda/discretize.cu
  csrc/mi/cuda/pack_codes.cu
  csrc/mi/cuda/count_atomics.cu
  csrc/mi/cuda/count_planes.cu
  csrc/mi/cuda/count_one_hot.cu
  csrc/mi/cuda/count_slices.cu
  csrc/mi/cuda/mi_cuda.cu
  csrc/mi/cuda/columns.cu)
# Instructions that sm_90a alone has: whatever else is built, this is for no other GPU, and elsewhere not launched.
add_library(pruning_ext_cuda_90a OBJECT csrc/mi/cuda/count_wgmma.cu)
set_target_properties(pruning_ext_cuda_90a PROPERTIES CUDA_ARCHITECTURES 90a-real)
foreach(kernels IN ITEMS pruning_ext_cuda pruning_ext_cuda_90a)
  target_include_directories(${kernels} PRIVATE csrc)
  set_target_properties(${kernels} PROPERTIES CUDA_STANDARD 20 CUDA_STANDARD_REQUIRED ON CUDA_EXTENSIONS OFF
    CUDA_VISIBILITY_PRESET hidden
    CUDA_COMPILER_LAUNCHER "sh;${CMAKE_CURRENT_SOURCE_DIR}/cmake/ptxas_report.sh;${CMAKE_CURRENT_BINARY_DIR}/resources")
  target_compile_options(${kernels} PRIVATE -Xptxas=-v -Xcompiler=-Wall,-Wextra)
  if(PRUNING_EXT_WERROR)
    target_compile_options(${kernels} PRIVATE -Werror=all-warnings -Xcompiler=-Werror)
  endif()
endforeach()

# _C_cuda calls shims of libtorch_cuda.so, which must be recorded as needed: nothing else makes the dynamic linker look
# there. A CPU torch has none, so the linker is given a stub of that name.
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/torch_cuda_stub.cpp CONTENT [[
#define STUB extern "C" __attribute__((visibility("default"))) void
STUB aoti_torch_get_current_cuda_stream() {}
STUB torch_c10_cuda_check_msg() {}
STUB torch_c10_cuda_free_error_msg() {}
]])
add_library(torch_cuda_stub SHARED ${CMAKE_CURRENT_BINARY_DIR}/torch_cuda_stub.cpp)
set_target_properties(torch_cuda_stub PROPERTIES OUTPUT_NAME torch_cuda
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/stub)

add_library(_C_cuda MODULE
  csrc/bindings/torch/kde_op_cuda.cpp
  csrc/bindings/torch/ken_op_cuda.cpp
  csrc/bindings/torch/mi_op_cuda.cpp)
target_compile_definitions(_C_cuda PRIVATE USE_CUDA)
# The CUDA runtime is linked statically: the library serves whatever CUDA the torch at hand brings.
target_link_libraries(_C_cuda PRIVATE pruning_ext_core pruning_ext_torch pruning_ext_cuda
  pruning_ext_cuda_90a torch_cuda_stub CUDA::cudart_static)
