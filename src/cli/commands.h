// The command line: one file per subcommand (`check.cc` has `add_check`), one table in commands.cc that lists them all.
// An add_ function registers its subcommand with options and callback; the callback runs at most once, in the main
// thread, and sets `exit_code`: 0 yes, 1 no (the reason is on stderr), 2 usage. Library exceptions do not leave run().
#pragma once

#include <CLI/CLI.hpp>
#include <iosfwd>

namespace belay::cli {

// Parses the arguments, runs the subcommand and gives the process's exit code.
int run(int argc, const char* const* argv, std::ostream& out, std::ostream& err);

void add_run(CLI::App& app, int& exit_code);
void add_proxy(CLI::App& app, int& exit_code);
void add_spool(CLI::App& app, int& exit_code);
void add_check(CLI::App& app, int& exit_code);
void add_explain(CLI::App& app, int& exit_code);
void add_rehearse(CLI::App& app, int& exit_code);
void add_verify(CLI::App& app, int& exit_code);
void add_sign(CLI::App& app, int& exit_code);
void add_send(CLI::App& app, int& exit_code);
void add_eval(CLI::App& app, int& exit_code);
void add_events(CLI::App& app, int& exit_code);
void add_show(CLI::App& app, int& exit_code);
void add_replay(CLI::App& app, int& exit_code);
void add_cancel(CLI::App& app, int& exit_code);
void add_quarantine(CLI::App& app, int& exit_code);
void add_audit(CLI::App& app, int& exit_code);
void add_stats(CLI::App& app, int& exit_code);
void add_pause(CLI::App& app, int& exit_code);
void add_resume(CLI::App& app, int& exit_code);
void add_disable(CLI::App& app, int& exit_code);
void add_enable(CLI::App& app, int& exit_code);
void add_listen(CLI::App& app, int& exit_code);
void add_openapi(CLI::App& app, int& exit_code);
void add_reference(CLI::App& app, int& exit_code);
void add_completion(CLI::App& app, int& exit_code);

}  // namespace belay::cli
