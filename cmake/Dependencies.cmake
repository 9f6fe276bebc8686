# Every package the project uses, found once. All come from Debian 12.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(absl REQUIRED)
find_package(Eigen3 REQUIRED NO_MODULE)
find_package(nlohmann_json REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto)  # SHA-256

# Debian's dnnl-config.cmake asks for OpenCL, which the CPU API does not need: find the library itself.
find_library(DNNL_LIBRARY dnnl REQUIRED)
add_library(kvscope_dnnl INTERFACE)
target_link_libraries(kvscope_dnnl INTERFACE ${DNNL_LIBRARY})

# Debian's libcsv has no pkg-config file.
find_library(CSV_LIBRARY csv REQUIRED)
add_library(kvscope_csv INTERFACE)
target_link_libraries(kvscope_csv INTERFACE ${CSV_LIBRARY})

# The toolkit alone: no driver is needed to build, and none to test (tests/inference/cuda_emulation).
if(KVSCOPE_CUDA STREQUAL "ON")
  find_package(CUDAToolkit 12.8 REQUIRED)
elseif(NOT KVSCOPE_CUDA STREQUAL "OFF")
  find_package(CUDAToolkit 12.8 QUIET)
endif()

if(KVSCOPE_SERVICES)
  find_package(Protobuf REQUIRED)
  find_package(SQLite3 REQUIRED)
  find_package(prometheus-cpp REQUIRED)
  pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)  # asks language models
  pkg_check_modules(GRPCPP REQUIRED IMPORTED_TARGET grpc++)
  find_library(GRPCPP_REFLECTION_LIBRARY grpc++_reflection REQUIRED)
  find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)
endif()
if(KVSCOPE_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()
