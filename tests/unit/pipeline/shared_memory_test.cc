#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pipeline/shared_memory.h"

using belay::pipeline::SharedMemory;

TEST_CASE("a_key_finds_its_bucket_again") {
  SharedMemory& shared = *SharedMemory::create().value();
  shared.bucket(42, 100).arrival_us = 7;
  shared.bucket(43, 100).arrival_us = 8;
  CHECK(shared.bucket(42, 100).arrival_us == 7);
  CHECK(shared.bucket(43, 100).arrival_us == 8);
  CHECK(shared.bucket(0, 100).arrival_us == 0);
}

TEST_CASE("forked_processes_see_one_memory") {
  SharedMemory& shared = *SharedMemory::create().value();
  const pid_t child = fork();
  if (child == 0) {
    shared.bucket(5, 0).arrival_us = 99;
    shared.connections += 3;
    _exit(0);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(shared.bucket(5, 0).arrival_us == 99);
  CHECK(shared.connections == 3);
}

TEST_CASE("a_full_probe_run_forgives_the_key_that_owes_least") {
  SharedMemory& shared = *SharedMemory::create().value();
  // Keys that are equal in the bits that choose the place.
  const auto key = [](uint64_t i) { return 77 + i * SharedMemory::kBuckets; };
  for (uint64_t i = 0; i < SharedMemory::kProbe; ++i) shared.bucket(key(i), 0).arrival_us = 1000 + i;
  CHECK(shared.bucket(key(SharedMemory::kProbe), 5000).arrival_us == 0);
  CHECK(shared.evicted == 0);  // its time was over: nothing was forgiven
  shared.bucket(key(SharedMemory::kProbe), 0).arrival_us = 9000;
  CHECK(shared.bucket(key(0), 100).arrival_us == 0);  // takes the place of key 1, which still owed
  CHECK(shared.evicted == 1);
  CHECK(shared.bucket(key(SharedMemory::kProbe), 100).arrival_us == 9000);
}
