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
  CHECK(shared.bucket(0, 100).arrival_us == 100);
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
  CHECK(shared.bucket(key(SharedMemory::kProbe), 5000).arrival_us == 5000);
  CHECK(shared.evicted == 0);  // its time was over: nothing was forgiven
  shared.bucket(key(SharedMemory::kProbe), 0).arrival_us = 9000;
  CHECK(shared.bucket(key(0), 100).arrival_us == 100);  // takes the place of key 1, which still owed
  CHECK(shared.evicted == 1);
  CHECK(shared.bucket(key(SharedMemory::kProbe), 100).arrival_us == 9000);
}

TEST_CASE("a_key_that_was_just_taken_is_not_the_next_to_be_replaced") {
  SharedMemory& shared = *SharedMemory::create().value();
  const auto key = [](uint64_t i) { return 77 + i * SharedMemory::kBuckets; };
  for (uint64_t i = 0; i < SharedMemory::kProbe; ++i) shared.bucket(key(i), 0).arrival_us = 1000 + i;
  SharedMemory::Bucket& taken = shared.bucket(key(100), 5000);
  CHECK(&shared.bucket(key(101), 5000) != &taken);
  CHECK(&shared.bucket(key(100), 5000) == &taken);
}

TEST_CASE("a_key_whose_bucket_went_to_another_meanwhile_neither_pays_nor_is_refused") {
  SharedMemory& shared = *SharedMemory::create().value();
  const auto rule = belay::pipeline::RateRule::of(1, 1);
  SharedMemory::Bucket& bucket = shared.bucket(1, 5'000'000);
  bucket.key = 2;
  CHECK(bucket.charge(1, rule, 5'000'000) == 0);
  CHECK(bucket.charge(2, rule, 5'000'000) == 0);
  CHECK(bucket.charge(1, rule, 5'000'000) == 0);
  CHECK(bucket.wait_us(1, rule, 5'000'000) == 0);
  CHECK(bucket.charge(2, rule, 5'000'000) == 1'000'000);
}
