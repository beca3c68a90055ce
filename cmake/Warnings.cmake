# Our own targets compile without a warning; headers of others are SYSTEM. Only where we build is one an error: a later
# compiler knows warnings that ours does not, and whoever installs with it is to get a package.
function(pruning_ext_own target)
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion>
    $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${PRUNING_EXT_WERROR}>>:-Werror>
    # A 64-byte vector passes between functions of one file only; its calling convention is of no concern.
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-psabi>
    $<$<COMPILE_LANG_AND_ID:CXX,Clang,AppleClang>:-Wno-unused-function>
    # Clang 19 and later blame whoever calls std::stable_sort for what libstdc++ up to 12 does inside.
    $<$<COMPILE_LANG_AND_ID:CXX,Clang>:-Wno-error=deprecated-declarations>)
  if(PRUNING_EXT_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${PRUNING_EXT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=${PRUNING_EXT_SANITIZE})
  endif()
endfunction()
