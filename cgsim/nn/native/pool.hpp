// Threads that sleep until there is work.
//
// Those of OpenMP wait for each other in a loop that keeps a core busy: beside another process they
// take the core from the very thread that they wait for. These take small shares of the work, one
// after the other; a thread that does not run takes none, and nobody waits for it to begin.

#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

class Pool {
  public:
    // Call job(0) ... job(n_jobs - 1) on so many threads, this one among them.
    static void run(int n_threads, int n_jobs, const std::function<void(int)> &job) {
        static std::mutex one_at_a_time;
        std::unique_lock<std::mutex> own(one_at_a_time, std::try_to_lock);
        if (n_threads < 2 || n_jobs < 2 || !own.owns_lock()) {
            for (int i = 0; i < n_jobs; ++i) job(i);
            return;
        }
        of_this_process().share(n_threads, n_jobs, job);
    }

  private:
    std::mutex mutex;
    std::condition_variable begun, ended;
    const std::function<void(int)> *job = nullptr;
    std::atomic<int> next{0};
    int n_jobs = 0, n_wanted = 0, n_inside = 0, n_threads = 0;

    // Never deleted: its threads end with the process. A process that was forked has none of them.
    static Pool &of_this_process() {
        static Pool *pool = nullptr;
        static pid_t owner = 0;
        if (owner != getpid()) {
            pool = new Pool;
            owner = getpid();
        }
        return *pool;
    }

    void share(int most_threads, int jobs, const std::function<void(int)> &given) {
        {
            std::lock_guard<std::mutex> lock(mutex);
            for (; n_threads < most_threads - 1; ++n_threads)
                std::thread([this] { wait_for_work(); }).detach();
            job = &given;
            next = 0;
            n_jobs = jobs;
            n_wanted = most_threads - 1;
        }
        begun.notify_all();
        take_shares();
        std::unique_lock<std::mutex> lock(mutex);
        job = nullptr;  // who has not begun does not
        n_wanted = 0;
        ended.wait(lock, [this] { return n_inside == 0; });
    }

    void take_shares() {
        for (int i; (i = next++) < n_jobs;) (*job)(i);
    }

    void wait_for_work() {
        std::unique_lock<std::mutex> lock(mutex);
        for (;;) {
            begun.wait(lock, [this] { return n_wanted > 0; });
            --n_wanted;
            ++n_inside;
            lock.unlock();
            take_shares();
            lock.lock();
            if (--n_inside == 0) ended.notify_one();
        }
    }
};
