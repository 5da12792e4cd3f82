// Threads that share one piece of work.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <thread>
#include <vector>

// They start and end with the work, so nothing is kept between calls and nothing outlives a fork. Each does its share of
// a step, and waits for the others before the next. Where the system has no more threads, there are fewer.
class Team {
  public:
    struct Range {
        std::size_t first, last;
    };

    class Member {
      public:
        Member(Team& team, std::size_t number) : team_(team), number_(number) {}

        std::size_t number() const { return number_; }

        // The part of `count` items that is this member's.
        Range share(std::size_t count) const {
            return {count * number_ / team_.size_, count * (number_ + 1) / team_.size_};
        }

        // Returns when every member has come here.
        void wait() const { team_.meet(); }

      private:
        Team& team_;
        std::size_t number_;
    };

    // `work` is called with a Member in each of at most `threads` threads, this one among them. It must not throw.
    template <typename Work>
    static void run(std::size_t threads, const Work& work) {
        Team team;
        std::vector<std::thread> others;
        std::size_t size = 1;
        try {
            others.reserve(threads);
            for (; size < threads; size++)
                others.emplace_back([&team, &work, size] {
                    while (!team.size_) std::this_thread::yield();
                    work(Member(team, size));
                });
        } catch (const std::exception&) {
        }
        team.size_ = size;
        work(Member(team, 0));
        for (std::thread& other : others) other.join();
    }

  private:
    void meet() {
        const std::size_t round = round_;
        if (++arrived_ == size_) {
            arrived_ = 0;
            round_++;
        } else {
            while (round_ == round) std::this_thread::yield();
        }
    }

    std::atomic<std::size_t> size_{0}, arrived_{0}, round_{0};
};
