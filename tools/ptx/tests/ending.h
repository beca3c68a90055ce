// Programs that are to end, tried in a process of their own: with a trap, or at what is not modelled.
#pragma once

#include <functional>

#include "program.h"

namespace ptx::test {

enum class Ending : int { none = 0, trap = 3, unknown = 4 };  // exit statuses of the interpreter

// That `run` ends this way, with `message` on stderr.
void check_ending(const char* what, Ending ending, const std::string& message, const std::function<void()>& run);

// The same of a body as run() takes it.
void check_trap(const char* what, const std::string& body, const std::string& message, const Setup& setup = {});
void check_unknown(const char* what, const std::string& body, const std::string& message, const Setup& setup = {});

}  // namespace ptx::test
