# Files that travel inside a library: the assembler includes their bytes as they are (.incbin).
enable_language(ASM)

# kvscope_embed(TARGET FUNCTION ns::Name HEADER path.h FILES name=path ...)
# Adds to TARGET the definition of `std::string_view ns::Name(std::string_view name)`, which HEADER declares:
# the bytes of the file of that name. Asking for another name is a bug and aborts.
function(kvscope_embed target)
  cmake_parse_arguments(ARG "" "FUNCTION;HEADER" "FILES" ${ARGN})
  set(assembly "  .section .rodata\n")
  set(externs "")
  set(entries "")
  set(paths "")
  set(index 0)
  foreach(file IN LISTS ARG_FILES)
    string(REGEX MATCH "^([^=]+)=(.+)$" matched "${file}")
    set(name "${CMAKE_MATCH_1}")
    get_filename_component(path "${CMAKE_MATCH_2}" ABSOLUTE)
    set(symbol "${target}_file_${index}")
    string(APPEND assembly "  .balign 16\n  .global ${symbol}\n${symbol}:\n  .incbin \"${path}\"\n"
                           "  .global ${symbol}_end\n${symbol}_end:\n  .byte 0\n")
    string(APPEND externs "extern const char ${symbol}[], ${symbol}_end[];\n")
    string(APPEND entries "      {\"${name}\", {${symbol}, ${symbol}_end}},\n")
    list(APPEND paths "${path}")
    math(EXPR index "${index} + 1")
  endforeach()
  string(APPEND assembly "  .section .note.GNU-stack,\"\",%progbits\n")

  set(base ${CMAKE_CURRENT_BINARY_DIR}/${target}_files)
  file(CONFIGURE OUTPUT ${base}.S CONTENT "${assembly}" @ONLY)
  file(CONFIGURE OUTPUT ${base}.cc CONTENT [[// Written by cmake/EmbedFile.cmake.
#include "@ARG_HEADER@"

#include <cstdlib>

extern "C" {
@externs@}

std::string_view @ARG_FUNCTION@(std::string_view name) {
  static const struct {
    std::string_view name, bytes;
  } kFiles[] = {
@entries@  };
  for (const auto& file : kFiles) {
    if (file.name == name) return file.bytes;
  }
  std::abort();
}
]] @ONLY)
  set_source_files_properties(${base}.S PROPERTIES OBJECT_DEPENDS "${paths}")
  target_sources(${target} PRIVATE ${base}.S ${base}.cc)
endfunction()
