# What the Python package loads: _C (the torch ops), _C_cuda (their CUDA kernels), _core (pybind11).
find_package(Python REQUIRED COMPONENTS Interpreter Development.Module)
execute_process(COMMAND ${Python_EXECUTABLE} -c "import os, torch; print(os.path.dirname(torch.__file__), torch.__version__, sep=';')"
  OUTPUT_VARIABLE torch_found OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
list(GET torch_found 0 torch_dir)
list(GET torch_found 1 torch_version)
execute_process(COMMAND ${Python_EXECUTABLE} -m pybind11 --cmakedir
  OUTPUT_VARIABLE pybind11_ROOT OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
find_package(pybind11 REQUIRED CONFIG)

# The oldest torch that the binaries serve: the one of pyproject.toml, as the stable ABI spells it (0xMMmmpp and five zero bytes).
file(STRINGS pyproject.toml torch_requirement REGEX "^    \"torch>=")
string(REGEX MATCH "([0-9]+)\\.([0-9]+)" torch_oldest "${torch_requirement}")
math(EXPR torch_target "(${CMAKE_MATCH_1} << 56) | (${CMAKE_MATCH_2} << 48)" OUTPUT_FORMAT HEXADECIMAL)

# libtorch_cpu.so is already loaded, under this name, when Python loads ours: it is named, and no path is recorded.
add_library(pruning_ext_torch INTERFACE)
target_include_directories(pruning_ext_torch SYSTEM INTERFACE ${torch_dir}/include)
target_compile_definitions(pruning_ext_torch INTERFACE TORCH_TARGET_VERSION=${torch_target}ULL)
find_library(torch_cpu_library torch_cpu PATHS ${torch_dir}/lib NO_DEFAULT_PATH REQUIRED)
target_link_libraries(pruning_ext_torch INTERFACE ${torch_cpu_library})

add_library(_C MODULE csrc/bindings/torch/library.cpp)
target_link_libraries(_C PRIVATE pruning_ext_core pruning_ext_torch)

pybind11_add_module(_core MODULE NO_EXTRAS csrc/bindings/numpy/module.cpp)
target_link_libraries(_core PRIVATE pruning_ext_core)

include(Cuda)

set(python_targets _C _core)
if(TARGET _C_cuda)
  list(APPEND python_targets _C_cuda)
endif()
foreach(target IN LISTS python_targets)
  set_target_properties(${target} PROPERTIES PREFIX "" SKIP_BUILD_RPATH ON INSTALL_RPATH "")
  if(NOT APPLE)  # whose linker has no such option; there the archives' symbols are as hidden as they were compiled
    target_link_options(${target} PRIVATE -Wl,--exclude-libs,ALL)
  endif()
  pruning_ext_own(${target})
endforeach()

# What was built, for pruning_ext.info and for error messages.
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/build_info.json CONTENT [[{
  "version": "@PROJECT_VERSION@",
  "torch_built_with": "@torch_version@",
  "torch_oldest": "@torch_oldest@",
  "compiler": "@CMAKE_CXX_COMPILER_ID@ @CMAKE_CXX_COMPILER_VERSION@",
  "instruction_sets": "@PRUNING_EXT_ISAS@",
  "cuda": "@cuda_toolkit@",
  "cuda_architectures": "@cuda_architectures@"
}
]])
install(TARGETS ${python_targets} LIBRARY DESTINATION . COMPONENT python)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/build_info.json DESTINATION . COMPONENT python)
