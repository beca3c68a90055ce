#include "ending.h"

#include <sys/wait.h>
#include <unistd.h>

namespace ptx::test {
namespace {

// Exit status of a child that executes `run`, and what it wrote to stderr.
std::pair<int, std::string> end_of(const std::function<void()>& run) {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  std::fflush(stdout);
  const pid_t child = fork();
  if (child < 0) std::abort();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    run();
    _exit(0);
  }
  close(ends[1]);
  std::string text;
  char part[512];
  for (ssize_t n; (n = read(ends[0], part, sizeof part)) > 0;) text.append(part, static_cast<std::size_t>(n));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), text};
}

}  // namespace

void check_ending(const char* what, Ending ending, const std::string& message, const std::function<void()>& run) {
  const auto [status, text] = end_of(run);
  CHECK(status == static_cast<int>(ending), "%s: ended with %d, not %d: %s", what, status, static_cast<int>(ending),
        text.c_str());
  CHECK(text.find(message) != std::string::npos, "%s: \"%s\" instead of \"%s\"", what, text.c_str(), message.c_str());
}

void check_trap(const char* what, const std::string& body, const std::string& message, const Setup& setup) {
  check_ending(what, Ending::trap, message, [&] { run(body, {}, setup); });
}

void check_unknown(const char* what, const std::string& body, const std::string& message, const Setup& setup) {
  check_ending(what, Ending::unknown, message, [&] { run(body, {}, setup); });
}

}  // namespace ptx::test
