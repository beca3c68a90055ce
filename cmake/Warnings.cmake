# Our own targets compile without a warning; headers of others are SYSTEM.
function(pruning_ext_own target)
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror>
    # A 64-byte vector passes between functions of one file only; its calling convention is of no concern.
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-psabi>
    $<$<COMPILE_LANG_AND_ID:CXX,Clang,AppleClang>:-Wno-unused-function>)
  if(PRUNING_EXT_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${PRUNING_EXT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=${PRUNING_EXT_SANITIZE})
  endif()
endfunction()
